-- The day's snapshot of the customers table.
-- Grain: customer. Interval: created_at before $end; one without created_at counts, since the snapshot is of the day.
select
    cast(customer_id as text) as customer_id,
    created_at,
    customer_bucket(customer_id, $buckets) as bucket
from read_parquet($customers, hive_partitioning = false)
where (created_at < $end or created_at is null) and customer_id is not null
