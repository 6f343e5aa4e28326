-- Grain: one row. The type of an expression over a table; no row is read, for a subquery without rows still has a type.
select case when t.typtype = 'e' then 'enum' else format_type(t.oid, null) end as type_name
from pg_type as t
where t.oid = pg_typeof((
    select ({expression}
    ) from {relation} limit 0
))
