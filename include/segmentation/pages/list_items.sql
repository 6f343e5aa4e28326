-- One row per category that audiences can be made for. Parameter: day.
select distinct item
from marts.segment_affinities
where as_of = :day and level = 'category'
order by item
