-- The newest snapshot of the customers table up to the day.
-- Grain: customer. Interval: created_at before $end.
select
    cast(customer_id as text) as customer_id,
    created_at,
    cast(md5_number_lower(cast(customer_id as text)) % $buckets as integer) as bucket
from read_parquet($customers, hive_partitioning = false)
where created_at < $end and customer_id is not null
