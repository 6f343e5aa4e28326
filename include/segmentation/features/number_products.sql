-- Small numbers for the bucket's products and their categories. Grain: product.
create or replace temp table numbered_products as
select
    product_id,
    category,
    cast(row_number() over (order by product_id) as integer) as product_no,
    case when category is not null then cast(dense_rank() over (order by category) as integer) end as category_no
from (select distinct product_id, category from bucket_items);
