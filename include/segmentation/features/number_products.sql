-- Small numbers for the bucket's products. Grain: product.
create or replace temp table numbered_products as
select product_id, category_no, cast(row_number() over (order by product_id) as integer) as product_no
from (select distinct product_id, category_no from bucket_items);
