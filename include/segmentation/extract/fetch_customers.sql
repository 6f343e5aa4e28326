-- Grain: customer. Everybody who was known at the end of the business day.
select {columns}
from {customers} as r
where created_at < {end} or created_at is null
