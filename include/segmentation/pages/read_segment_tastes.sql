-- One row per taste of a segment, most frequent first. Parameters: day, segment_id.
select segment_tastes.*, tastes.name, tastes.description
from marts.segment_tastes
join marts.tastes using (taste_id)
where segment_tastes.as_of = :day and segment_tastes.segment_id = :segment_id
order by segment_tastes.customers desc, taste_id
