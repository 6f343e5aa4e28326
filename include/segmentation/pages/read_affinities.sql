-- One row per item that a segment buys more than the shop does, best first. Parameters: day, segment_id.
select *
from marts.segment_affinities
where as_of = :day and kind = 'segment' and group_id = :segment_id
order by level, rank
limit 60
