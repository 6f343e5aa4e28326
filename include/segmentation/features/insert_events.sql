-- The bucket's events, as spread. Grain as in select_events.sql.
insert into bucket_events by name
select * from read_parquet($files, hive_partitioning = false);
