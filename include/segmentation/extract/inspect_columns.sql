-- Grain: relation, column. Every column of every table and view outside the system schemas, its type (that under a
-- domain, if it is one), and whether the present role may read it.
select n.nspname::text as schema_name,
       c.relname::text as relation_name,
       a.attname::text as column_name,
       case when base.typtype = 'e' then 'enum' else format_type(base.oid, null) end as type_name,
       case
           when base.oid = 'numeric'::regtype and base_typmod.value >= 4 then ((base_typmod.value - 4) & 65535)::int
       end as numeric_scale,
       has_schema_privilege(n.oid, 'usage') as may_enter,
       has_column_privilege(c.oid, a.attnum, 'select') as may_read,
       c.relkind in ('r', 'p', 'm') as can_be_sampled
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type as t on t.oid = a.atttypid
join pg_type as base on base.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
cross join lateral (select case when t.typbasetype <> 0 then t.typtypmod else a.atttypmod end as value) as base_typmod
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and n.nspname <> 'information_schema'
  and n.nspname not like 'pg\_%'
order by n.nspname, c.relname, a.attnum
