-- How many customers have an order, void or not. Grain: one row.
select count(distinct customer_id) from read_parquet($files, hive_partitioning = false)
