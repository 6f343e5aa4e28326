-- One row per segment and recommended action of a day, best first. Parameter: day.
select * from marts.segment_actions where as_of = :day order by segment_id, rank
