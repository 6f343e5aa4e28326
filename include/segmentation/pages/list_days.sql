-- One row per published day, newest first.
select distinct as_of from marts.segment_profiles order by as_of desc limit 1000
