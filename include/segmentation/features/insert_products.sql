-- The day's snapshot of the products table. Grain: product.
insert into products by name
with
-- one row per product
product as (
    select cast(product_id as text) as product_id, min(category) as category
    from read_parquet($files, hive_partitioning = false)
    group by product_id
)

select
    product_id,
    category,
    case when category is not null then cast(dense_rank() over (order by category) as integer) end as category_no
from product;
