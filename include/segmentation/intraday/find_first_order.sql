-- When the first order was placed that is not known to be void at $end, in one day's file. Grain: one row.
select min(ordered_at) from read_parquet($file, hive_partitioning = false)
where customer_id is not null and not (list_contains($void, lower(status)) and updated_at < $end)
