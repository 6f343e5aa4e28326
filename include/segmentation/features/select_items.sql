-- Every line of every order up to the day, with its customer's bucket and its product's category.
-- Grain: order line. Interval: the order's ordered_at before $end. A line without order has no customer and is left out.
-- Quantities are never summed (fuel is counted in millilitres): a line is a line.
with
-- one row per order: in which bucket its customer is
owner as (
    select order_id, cast(md5_number_lower(cast(customer_id as text)) % $buckets as integer) as bucket
    from read_parquet($orders, hive_partitioning = false)
    where ordered_at < $end and customer_id is not null
)

select
    cast(item.order_id as text) as order_id,
    cast(item.product_id as text) as product_id,
    product.category,
    cast(round((item.quantity * item.unit_price - coalesce(item.discount_amount, 0)) * 100) as bigint) as revenue_cents,
    owner.bucket
from read_parquet($items, hive_partitioning = false) as item
inner join owner on owner.order_id = item.order_id
left join products as product on product.product_id = cast(item.product_id as text)
