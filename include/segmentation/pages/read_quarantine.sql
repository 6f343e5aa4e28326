-- One row per table and reason: rows set aside by the run of a business day. Parameter: day.
select table_name, reason, sum(rows) as rows
from ops.quarantine
where business_day = :day
group by table_name, reason
order by rows desc, table_name, reason
