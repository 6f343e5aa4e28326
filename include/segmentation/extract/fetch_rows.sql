-- Grain: row of orders or events. All rows of some consecutive business days, in any order.
select {columns}
from {rows} as r
where {time} >= {start} and {time} < {end}
