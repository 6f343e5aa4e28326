-- When the first event of a known customer happened. Grain: one row.
select min(occurred_at) from read_parquet($files, hive_partitioning = false)
