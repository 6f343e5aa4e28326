-- Every order line of a month, ready to be spread over the buckets of the orders' customers. Grain: order line.
-- A line whose order is not in the file of its own day (or more than once, by different customers) goes to bucket -1,
-- where every bucket looks for lines of its orders; as a rule there is none. A line of an order without customer is
-- nobody's.
-- Quantities are never summed (fuel is counted in millilitres): a line is a line.
select
    cast(item.order_id as text) as order_id,
    cast(item.product_id as text) as product_id,
    item.ordered_at,
    cast(round((item.quantity * item.unit_price - coalesce(item.discount_amount, 0)) * 100) as bigint) as cents,
    lake_day(item.filename) as day,
    case when place.first_bucket = place.last_bucket then place.first_bucket else -1 end as bucket
from read_parquet($items, hive_partitioning = false, filename = true) as item
left join order_places as place
    on place.order_id = cast(item.order_id as text)
    and place.ordered_at = item.ordered_at
    and place.day = lake_day(item.filename)
where item.order_id is not null and coalesce(place.last_bucket, 0) >= 0
