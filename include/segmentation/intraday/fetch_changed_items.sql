-- Grain: order line. The lines of the orders of fetch_changes.sql, in any order.
with
-- one row per order as fetched
fetched as (
    {orders_fetched}
),

-- one row per order and day: a repeated order id must not repeat its lines
dated as (
    select order_id, min(ordered_at) as ordered_at
    from fetched
    group by order_id, width_bucket(ordered_at, {day_starts})
)

select {columns}, dated.ordered_at
from dated
join {order_items} as i on i.order_id = dated.order_id
