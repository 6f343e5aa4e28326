-- Grain: one row. Orders of the weeks that end with the newest one.
select count(*) as orders
from {orders} as r
where ordered_at > {start} and ordered_at <= {end}
