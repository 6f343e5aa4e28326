-- When the shop's first order was placed that is not known to be void at $end, and how many customers have an order, void
-- or not. Grain: one row.
select
    min(ordered_at) filter (where not (list_contains($void, status) and updated_at < $end)) as first_order,
    count(distinct customer_id) as customers
from counted_orders($orders, $day, $end)
