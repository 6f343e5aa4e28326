-- Every event of a known customer up to the day; anonymous events belong to nobody.
-- Grain: event of a day's file; insert_events.sql leaves out repeated ones. Interval: occurred_at before $end.
select
    cast(event.event_id as text) as event_id,
    cast(event.customer_id as text) as customer_id,
    cast(event.session_id as text) as session_id,
    event.occurred_at,
    event.loaded_at,
    event.event_type,
    product.category,
    lower(event.channel) as channel,
    cast(md5_number_lower(cast(event.customer_id as text)) % $buckets as integer) as bucket
from read_parquet($events, hive_partitioning = false) as event
left join products as product on product.product_id = cast(event.product_id as text)
where event.occurred_at < $end and event.customer_id is not null
