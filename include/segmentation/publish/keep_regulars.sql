-- Adds one bucket's customers to the table regulars (DuckDB): the products that a customer comes back for, bought in at
-- least two 28-day periods of the last 365 days; the first top of a customer, by periods, then lines, then product.
-- Grain of regulars: customer, product. Reads the bucket's file. Parameters: file, top.
insert into regulars
select customer_id, product_id, bit_count(periods) as periods
from read_parquet($file, hive_partitioning = false)
where bit_count(periods) >= 2 and category is not null
qualify row_number() over (
    partition by customer_id order by bit_count(periods) desc, lines desc, product_id
) <= $top
