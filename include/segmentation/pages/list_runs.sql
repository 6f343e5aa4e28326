-- One row per business day: its newest run, newest day first.
select *
from (
    select distinct on (business_day) *
    from ops.runs
    order by business_day desc, started_at desc
    limit 60
) as newest
order by business_day desc
