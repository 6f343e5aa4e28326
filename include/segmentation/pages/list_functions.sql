-- One row per function in marts that this role may call.
select pg_namespace.nspname || '.' || pg_proc.proname as function_name
from pg_proc
join pg_namespace on pg_namespace.oid = pg_proc.pronamespace
where pg_namespace.nspname = 'marts'
    and has_schema_privilege(pg_namespace.oid, 'usage')
    and has_function_privilege(pg_proc.oid, 'execute')
