-- Every order up to the day, ready to be spread over buckets; of a repeated one only what repeated_orders says.
-- Grain: order. Keys: order_id, customer_id as text. Interval: ordered_at before $end.
-- Amounts become whole cents of the reporting currency, so that sums are exact and do not depend on the order of rows.
select
    cast(o.order_id as text) as order_id,
    cast(customer_id as text) as customer_id,
    o.ordered_at,
    updated_at,
    lower(status) as status,
    reported_cents(cast(round(total_amount * 100) as bigint), o.currency, rate.rate) as paid_cents,
    reported_cents(cast(round(coalesce(discount_amount, 0) * 100) as bigint), o.currency, rate.rate) as discount_cents,
    coalesce(coupon_code, '') <> '' as has_coupon,
    cast(md5_number_lower(cast(customer_id as text)) % $buckets as integer) as bucket
from read_parquet($orders, hive_partitioning = false) as o
left join repeated_orders as repeated on repeated.order_id = o.order_id
left join daily_rates as rate
    on rate.currency = other_currency(o.currency) and rate.day = rate_day(o.currency, o.ordered_at, $timezone)
where
    o.ordered_at < $end
    and customer_id is not null
    and (repeated.order_id is null or repeated.ordered_at = o.ordered_at)
