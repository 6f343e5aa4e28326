-- The bare limit of the features step, second half: the last $length events of each customer of one bucket as a list.
-- Grain: customer, of whom a $share is taken. Interval: before $end.
with
-- one row per customer
timeline as (
    select
        customer_id,
        max_by({'at': occurred_at, 'type': event_type, 'channel': channel}, occurred_at, $length) as entries
    from read_parquet($events, hive_partitioning = false)
    where occurred_at < $end and hash(customer_id) % 1000 < 1000 * $share
    group by customer_id
)

select count(*), sum(len(entries)) from timeline
