-- Their events, as the next night's checked files would have them. Grain: event of a day's file.
select * from read_parquet($events, hive_partitioning = false)
where customer_id in (select customer_id from wanted) and event_id not in (select event_id from fetched_events)
union all by name
select * from new_events
where customer_id in (select customer_id from wanted)
