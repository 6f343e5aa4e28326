-- Grain: customer. Who came, or whose row was changed, since an instant.
select {columns}
from {customers} as r
where (created_at >= {since} or updated_at >= {since}) and (created_at < {end} or created_at is null)
