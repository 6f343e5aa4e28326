-- Every line of every order up to the day, with its customer's bucket and its product's category.
-- Grain: order line. Interval: the order's ordered_at before $end. A line without order has no customer and is left out.
-- Of a repeated order the lines of the day that counts are taken, since every day's file has lines of its own.
-- Quantities are never summed (fuel is counted in millilitres): a line is a line.
with
-- one row per order: in which bucket its customer is, and what its currency is worth
owner as (
    select
        o.order_id,
        o.currency,
        rate.rate,
        repeated.ordered_at as repeated_at,
        cast(md5_number_lower(cast(customer_id as text)) % $buckets as integer) as bucket
    from read_parquet($orders, hive_partitioning = false) as o
    left join repeated_orders as repeated on repeated.order_id = o.order_id
    left join daily_rates as rate
        on rate.currency = other_currency(o.currency) and rate.day = rate_day(o.currency, o.ordered_at, $timezone)
    where
        o.ordered_at < $end
        and customer_id is not null
        and (repeated.order_id is null or repeated.ordered_at = o.ordered_at)
)

select
    cast(item.order_id as text) as order_id,
    cast(item.product_id as text) as product_id,
    product.category,
    reported_cents(
        cast(round((item.quantity * item.unit_price - coalesce(item.discount_amount, 0)) * 100) as bigint),
        owner.currency,
        owner.rate
    ) as revenue_cents,
    owner.bucket
from read_parquet($items, hive_partitioning = false) as item
inner join owner
    on owner.order_id = item.order_id and (owner.repeated_at is null or owner.repeated_at = item.ordered_at)
left join products as product on product.product_id = cast(item.product_id as text)
