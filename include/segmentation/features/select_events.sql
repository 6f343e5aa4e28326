-- Every event of a month that a known customer caused, ready to be spread over buckets; anonymous events belong to nobody.
-- Grain: event of a day's file; counted_events leaves out repeated ones.
with
-- one row per customer: a hash each, not one per event
place as (
    select customer_id, customer_bucket(customer_id, $buckets) as bucket
    from (select distinct customer_id from read_parquet($events, hive_partitioning = false))
)

select
    cast(event.event_id as text) as event_id,
    cast(event.customer_id as text) as customer_id,
    cast(event.session_id as text) as session_id,
    event.occurred_at,
    event.loaded_at,
    event.event_type,
    cast(event.product_id as text) as product_id,
    lower(event.channel) as channel,
    lake_day(event.filename) as day,
    place.bucket
from read_parquet($events, hive_partitioning = false, filename = true) as event
inner join place on place.customer_id = event.customer_id
