-- The last $length entries of each buyer's history, oldest first. Grain: entry. Interval: before $end.
-- Purchase events are left out: the order itself says when and how much, and two entries would count it twice.
-- Entries of one moment are ordered by kind (events, then orders) and key; shorter keys first, so numbers sort as numbers;
-- entries without a key by what they are.
with
-- one row per order or event
entry as (
    select
        customer_no, ordered_at as happened_at, 1 as kind, order_id as key, 'order' as event_type,
        top_category_no as category_no,
        ln(1 + greatest(paid_cents, 0) / 100) as log_amount,
        case when paid_cents + discount_cents > 0 then discount_cents / (paid_cents + discount_cents) else 0 end
            as discount_share
    from known_orders
    union all
    select customer_no, occurred_at, 0, key, event_type, category_no, 0.0, 0.0
    from bucket_events
    where occurred_at < $end and event_type <> 'purchase'
),
-- one row per entry that is kept, counted from the newest, with when the one before it happened
newest as (
    select
        *,
        row_number() over newest_first as age,
        lead(happened_at) over newest_first as previous_at
    from entry
    where customer_no in (select customer_no from buyers)
    window newest_first as (partition by customer_no order by happened_at desc, kind desc, length(key) desc, key desc)
    qualify age <= $length
)

select
    newest.customer_no,
    newest.event_type,
    categories.category,
    cast(newest.log_amount as float) as log_amount,
    cast(newest.discount_share as float) as discount_share,
    -- nothing is before the oldest entry that is kept
    cast(case
        when newest.previous_at is not null and newest.age < $length
            then ln(1 + (epoch_us(newest.happened_at) - epoch_us(newest.previous_at)) / 3600e6)
        else 0
    end as float) as log_hours_since_previous,
    cast(isodow(timezone($timezone, newest.happened_at)) - 1 as tinyint) as day_of_week,
    cast(hour(timezone($timezone, newest.happened_at)) as tinyint) as hour,
    cast((epoch_us($end) - epoch_us(newest.happened_at)) / 86400e6 as float) as days_before
from newest
left join categories on categories.category_no = newest.category_no
order by newest.customer_no, newest.age desc
