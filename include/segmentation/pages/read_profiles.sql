-- One row per day and segment between two days, both included. Parameters: first, last.
select * from marts.segment_profiles where as_of between :first and :last order by as_of, segment_id
