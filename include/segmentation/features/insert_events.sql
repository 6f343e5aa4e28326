-- The bucket's events. Grain: event; of one in the files of several days, the one loaded last, then the latest.
-- Interval: days up to $day, occurred_at before $end.
-- Nobody can tell of events without a key (released from quarantine) whether they are repeated: each counts.
-- Which events are repeated is asked of the bucket, because there are too many events to ask it of them all.
insert into bucket_events by name
with
-- one row per event
event as (
    select *
    from spread_rows($files, $day)
    where occurred_at < $end
    qualify event_id is null or row_number() over (partition by event_id order by loaded_at desc nulls last, occurred_at desc) = 1
)

select
    event.event_id,
    event.customer_id,
    event.session_id,
    event.occurred_at,
    event.loaded_at,
    event.event_type,
    product.category,
    event.channel
from event
left join products as product on product.product_id = event.product_id;
