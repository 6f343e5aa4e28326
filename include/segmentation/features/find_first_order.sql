-- When the shop's first order was placed that is not known to be void at $end. Grain: one row.
select min(ordered_at) from read_parquet($files, hive_partitioning = false)
where not (list_contains($void, status) and updated_at < $end)
