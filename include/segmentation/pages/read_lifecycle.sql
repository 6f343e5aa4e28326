-- One row per segment that was born, split, merged or retired between two days. Parameters: first, last.
select * from marts.segment_lifecycle where as_of between :first and :last order by as_of desc, segment_id, event
