-- Features from orders alone. Grain: buyer, in order of customer_id. Interval: before $end.
-- Shares and averages are over 365 days and null where their denominator is 0.
with
-- one row per order but a customer's first: seconds since the one before
gap as (
    select
        customer_no,
        ordered_at,
        cast(floor(epoch(ordered_at)) as bigint) - lag(cast(floor(epoch(ordered_at)) as bigint)) over (
            partition by customer_no order by ordered_at, length(order_id), order_id
        ) as seconds
    from known_orders
),
-- one row per customer with an order in 365 days that has one before it
cadence as (
    select
        customer_no,
        count(seconds) as gaps,
        cast(sum(seconds) as double) as seconds,
        cast(sum(cast(seconds as hugeint) * seconds) as double) as seconds_squared,
        max(seconds) / 86400.0 as gap_days_longest
    from gap
    where ordered_at >= $since_365
    group by customer_no
),
-- one row per buyer: counts and cents
total as (
    select
        customer_no,
        min(ordered_at) as first_at,
        max(ordered_at) as last_at,
        count(*) as orders,
        count(*) filter (where ordered_at >= $since_28) as orders_28,
        count(*) filter (where ordered_at >= $since_56 and ordered_at < $since_28) as orders_previous_28,
        count(*) filter (where ordered_at >= $since_91) as orders_91,
        count(*) filter (where ordered_at >= $since_365) as orders_365,
        count(*) filter (where ordered_at >= $last_year_start and ordered_at < $last_year_end) as orders_last_year,
        count(distinct (epoch_us($end) - epoch_us(ordered_at) - 1) // 604800000000)
            filter (where ordered_at >= $since_91) as weeks_91,
        cast(sum(net_cents) as double) as cents,
        cast(coalesce(sum(net_cents) filter (where ordered_at >= $since_28), 0) as double) as cents_28,
        cast(coalesce(sum(net_cents) filter (where ordered_at >= $since_56 and ordered_at < $since_28), 0) as double)
            as cents_previous_28,
        cast(coalesce(sum(net_cents) filter (where ordered_at >= $since_91), 0) as double) as cents_91,
        cast(coalesce(sum(net_cents) filter (where ordered_at >= $since_365), 0) as double) as cents_365,
        cast(coalesce(
            sum(net_cents) filter (where ordered_at >= $last_year_start and ordered_at < $last_year_end), 0
        ) as double) as cents_last_year
    from known_orders
    group by customer_no
),
-- one row per customer with an order in 365 days: how the orders are
manner as (
    select
        customer_no,
        count(*) as orders,
        cast(sum(paid_cents) as double) as paid_cents,
        cast(sum(cast(paid_cents as hugeint) * paid_cents) as double) as paid_cents_squared,
        max(paid_cents) as paid_cents_largest,
        cast(sum(discount_cents) as double) as discount_cents,
        count(*) filter (where discount_cents > 0) as discounted,
        count(*) filter (where has_coupon) as with_coupon,
        count(*) filter (where returned) as returned,
        count(*) filter (where isodow(local_at) >= 6) as weekend,
        count(*) filter (where hour(local_at) < 12) as morning,
        count(*) filter (where hour(local_at) >= 18) as evening
    from known_orders
    where ordered_at >= $since_365
    group by customer_no
)

select
    buyers.customer_id,
    (epoch_us($end) - epoch_us(total.last_at)) / 86400e6 as recency_days,
    (epoch_us($end) - epoch_us(total.first_at)) / 86400e6 as tenure_days,
    (epoch_us($end) - epoch_us(least(account.created_at, total.first_at))) / 86400e6
        * case when account.created_at is not null then 1 end as account_age_days,
    total.orders_28 as frequency_28d,
    total.orders_91 as frequency_91d,
    total.orders_365 as frequency_365d,
    total.orders as frequency_all,
    total.cents_28 / 100 as monetary_28d,
    total.cents_91 / 100 as monetary_91d,
    total.cents_365 / 100 as monetary_365d,
    total.cents / 100 as monetary_all,
    total.orders_previous_28 as frequency_previous_28d,
    total.cents_previous_28 / 100 as monetary_previous_28d,
    ln(1 + total.orders_28) - ln(1 + total.orders_previous_28) as orders_trend_28d,
    ln(1 + greatest(total.cents_28, 0) / 100) - ln(1 + greatest(total.cents_previous_28, 0) / 100) as spend_trend_28d,
    case when $history_start < $last_year_start then total.orders_last_year end as frequency_last_year_28d,
    case when $history_start < $last_year_start then total.cents_last_year / 100 end as monetary_last_year_28d,
    total.weeks_91 as active_weeks_91d,
    manner.paid_cents / manner.orders / 100 as average_order_value,
    manner.paid_cents_largest / 100 as largest_order_value,
    case
        when manner.orders >= 2 and manner.paid_cents > 0
            then sqrt(greatest(
                manner.orders * manner.paid_cents_squared - manner.paid_cents * manner.paid_cents, 0
            )) / manner.paid_cents
    end as order_value_variation,
    cadence.seconds / nullif(cadence.gaps, 0) / 86400 as gap_days_mean,
    case
        when cadence.gaps >= 2 and cadence.seconds > 0
            then sqrt(greatest(cadence.gaps * cadence.seconds_squared - cadence.seconds * cadence.seconds, 0))
                / cadence.seconds
    end as gap_days_variation,
    cadence.gap_days_longest,
    -- a gap below a day counts as a day: two baskets of one trip set no rhythm
    (epoch_us($end) - epoch_us(total.last_at)) / 86400e6
        / case when cadence.gaps > 0 then greatest(cadence.seconds / cadence.gaps / 86400, 1) end as overdue_ratio,
    manner.discount_cents / nullif(manner.paid_cents + manner.discount_cents, 0) as discount_share,
    manner.discounted / manner.orders as discounted_orders_share,
    manner.with_coupon / manner.orders as coupon_share,
    manner.returned / manner.orders as returns_share,
    manner.weekend / manner.orders as weekend_share,
    manner.morning / manner.orders as morning_share,
    manner.evening / manner.orders as evening_share
from buyers
inner join total on total.customer_no = buyers.customer_no
left join manner on manner.customer_no = buyers.customer_no
left join cadence on cadence.customer_no = buyers.customer_no
left join bucket_customers as account on account.customer_no = buyers.customer_no and account.created_at < $end
order by buyers.customer_no
