-- One row per segment that ever was.
select * from marts.segments order by segment_id
