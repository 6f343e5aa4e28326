-- The bare limit of the features step, first half: windowed counts and sums per customer in one query, nothing else.
-- Grain: customer of one bucket, of whom a $share is taken. Interval: before $end.
with
-- one row per customer and event type: 11 types and three windows make 33 numbers
event as (
    select
        customer_id,
        event_type,
        count(*) as events,
        count(*) filter (where occurred_at >= $since_28) as events_28,
        count(*) filter (where occurred_at >= $since_91) as events_91,
        count(*) filter (where occurred_at >= $since_365) as events_365,
        count(distinct session_id) as sessions,
        max(occurred_at) as last_at
    from read_parquet($events, hive_partitioning = false)
    where occurred_at < $end and hash(customer_id) % 1000 < 1000 * $share
    group by customer_id, event_type
),
-- one row per customer
bought as (
    select
        customer_id,
        count(*) as orders,
        count(*) filter (where ordered_at >= $since_28) as orders_28,
        count(*) filter (where ordered_at >= $since_91) as orders_91,
        sum(total_cents) as spend,
        sum(total_cents) filter (where ordered_at >= $since_28) as spend_28,
        sum(discount_cents) as discount,
        min(ordered_at) as first_at,
        max(ordered_at) as last_at
    from read_parquet($orders, hive_partitioning = false)
    where ordered_at < $end and hash(customer_id) % 1000 < 1000 * $share
    group by customer_id
)

select count(*), sum(event.events_28 + event.events_91 + event.sessions), sum(bought.spend)
from bought
left join event on event.customer_id = bought.customer_id
