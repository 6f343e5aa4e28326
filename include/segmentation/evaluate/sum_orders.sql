-- What customers spent and ordered in a horizon.
-- Grain: customer. Input: horizon_orders, rows of orders with the contract's columns, and what
-- `rates.conversion.open_conversion` makes. Interval: ordered_at in
-- [$start, $end), as known at $end: a cancellation or a return counts only if updated_at is before $end.
-- Whole cents of the reporting currency, so that sums do not depend on the order of rows.
with
-- one row per order: one that was moved to another day may still be in the file of the first day
ordered as (
    select * from horizon_orders
    where ordered_at >= $start and ordered_at < $end
    qualify row_number() over (partition by order_id order by updated_at desc nulls last, ordered_at desc) = 1
),
-- one row per order that stands at $end
standing as (
    select
        cast(customer_id as text) as customer_id,
        case
            when list_contains($returned, lower(status)) and updated_at < $end then 0
            else reported_cents(cast(round(total_amount * 100) as bigint), ordered.currency, rate.rate)
        end as cents
    from ordered
    left join daily_rates as rate
        on
            rate.currency = other_currency(ordered.currency)
            and rate.day = rate_day(ordered.currency, ordered_at, $timezone)
    where
        customer_id is not null
        and not (list_contains($void, lower(status)) and updated_at < $end)
)

select customer_id, cast(sum(cents) as double) / 100 as spend, cast(count(*) as double) as orders
from standing
group by customer_id
order by customer_id
