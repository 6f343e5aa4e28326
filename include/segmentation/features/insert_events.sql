-- The bucket's events. Grain: event; of one in the files of several days, the one loaded last, then the latest.
-- Interval: days up to $day, occurred_at before $end; of events before $since, which only timelines and the question
-- who has ever been seen go back to, each customer's newest $length (more, if some are of one moment).
-- Nobody can tell of events without a key (released from quarantine) whether they are repeated: each counts.
-- Which events are repeated is asked of the bucket, because there are too many events to ask it of them all.
insert into bucket_events by name
with
-- one row per event of the files
event as not materialized (
    select * from spread_rows($files, $day) where occurred_at < $end
),
-- one row per key that is there more than once; as a rule there is none
repeated as (
    select event_id from event where event_id is not null group by event_id having count(*) > 1
),
-- one row per event
counted as not materialized (
    select * from event where event_id is null or event_id not in (select event_id from repeated)
    union all by name
    select * from event where event_id in (select event_id from repeated)
    qualify row_number() over (partition by event_id order by loaded_at desc nulls last, occurred_at desc) = 1
),
-- one row per event that anything is made of; purchases are in no timeline
needed as (
    select * from counted where occurred_at >= $since
    union all by name
    select * from counted where occurred_at < $since
    qualify rank() over (partition by customer_id, event_type <> 'purchase' order by occurred_at desc) <= $length
)

select
    needed.event_id,
    needed.customer_id,
    needed.session_id,
    needed.occurred_at,
    needed.loaded_at,
    needed.event_type,
    product.category,
    needed.channel
from needed
left join products as product on product.product_id = needed.product_id;
