-- Grain: business day (its first instant). How many lines the orders of each day have.
with
-- one row per order and day: a repeated order id must not repeat its lines
dated as (
    select order_id, width_bucket(ordered_at, {day_starts}) as day_number
    from {orders} as r
    where ordered_at >= {start} and ordered_at < {end}
    group by 1, 2
)
select ({day_starts})[dated.day_number] as since, count(*) as rows
from dated
join {order_items} as i on i.order_id = dated.order_id
group by dated.day_number
