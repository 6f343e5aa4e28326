-- The day's snapshot of the products table. Grain: product.
insert into products
select cast(product_id as text), min(category)
from read_parquet($files, hive_partitioning = false)
group by product_id;
