-- The bucket's events. Grain: event; of one in the files of several days, the one loaded last, then the latest.
-- Nobody can tell of events without a key (released from quarantine) whether they are repeated: each counts.
-- Which events are repeated is asked of the bucket, because there are too many events to ask it of them all.
insert into bucket_events by name
select * from read_parquet($files, hive_partitioning = false)
qualify event_id is null or row_number() over (partition by event_id order by loaded_at desc nulls last, occurred_at desc) = 1;
