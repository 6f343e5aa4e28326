-- One row: how many labels were made within the day, and how many of these the night contradicts. Labels that take rows
-- in from after the day are not judged by it. Needs tonight. Parameters: day, day_end.
select
    count(*) as labels,
    count(*) filter (where tonight.segment_id is distinct from present.segment_id) as differing
from marts.customer_segments as present
left join tonight on tonight.customer_id = present.customer_id
where present.source = 'intraday' and present.as_of < %(day)s::date and present.as_of_time < %(day_end)s
