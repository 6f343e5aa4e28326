-- One row per column of the tables in marts and ops that this role may read.
select pg_namespace.nspname || '.' || pg_class.relname as table_name, pg_attribute.attname as column_name
from pg_class
join pg_namespace on pg_namespace.oid = pg_class.relnamespace
join pg_attribute on pg_attribute.attrelid = pg_class.oid
where pg_namespace.nspname in ('marts', 'ops')
    and pg_class.relkind in ('r', 'v', 'm', 'p')
    and pg_attribute.attnum > 0
    and not pg_attribute.attisdropped
    and has_schema_privilege(pg_namespace.oid, 'usage')
    and has_table_privilege(pg_class.oid, 'select')
