-- When the first event of a known customer happened, in one day's file. Grain: one row.
select min(occurred_at) from read_parquet($file, hive_partitioning = false) where customer_id is not null
