-- Grain: order line. Lines whose order does not exist; they belong to no day.
select {columns}, null::timestamptz as ordered_at
from {order_items} as i
where not exists (select 1 from {orders} as r where r.order_id = i.order_id)
order by order_id, line_no
limit {limit}
