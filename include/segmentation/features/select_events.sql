-- Every event of a month that a known customer caused, ready to be spread over buckets; anonymous events belong to nobody.
-- Grain: event of a day's file; insert_events.sql leaves out repeated ones.
select
    cast(event_id as text) as event_id,
    cast(customer_id as text) as customer_id,
    cast(session_id as text) as session_id,
    occurred_at,
    loaded_at,
    event_type,
    cast(product_id as text) as product_id,
    lower(channel) as channel,
    lake_day(filename) as day,
    customer_bucket(customer_id, $buckets) as bucket
from read_parquet($events, hive_partitioning = false, filename = true)
where customer_id is not null
