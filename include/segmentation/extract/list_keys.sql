-- Grain: row of a daily table. Keys of the first few rows with a time that cannot be right.
select {key}::text as key
from {rows} as r
where {condition}
order by {key}
limit 10
