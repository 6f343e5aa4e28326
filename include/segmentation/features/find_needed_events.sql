-- From when on a customer's events before $since are needed: timelines go back to the newest $length entries, of which those
-- between $since and the end of the oldest as-of day are nearer. At least the newest is needed: it tells that somebody
-- has been seen. Repeated events are taken out first, see counted_events. Grain: customer with older events.
create or replace temp table needed_events as
with
-- one row per customer: entries that every timeline prefers to older ones
nearer as (
    select customer_id, count(*) as entries
    from counted_events($files, $day, $end)
    where occurred_at >= $since and occurred_at < $oldest_end and event_type <> 'purchase'
    group by customer_id
),
-- one row per customer: when the newest of the older ones happened, newest first
older as (
    select
        customer_id,
        max(occurred_at) as newest,
        max(occurred_at, $length) filter (where event_type <> 'purchase') as entries
    from counted_events($files, $day, $end)
    where occurred_at < $since
    group by customer_id
)

select
    older.customer_id,
    coalesce(
        older.entries[least(greatest($length - coalesce(nearer.entries, 0), 0), len(older.entries))], older.newest
    ) as since
from older
left join nearer on nearer.customer_id = older.customer_id;
