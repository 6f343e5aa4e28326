-- The bucket's items, as spread. Grain as in select_items.sql.
insert into bucket_items by name
select * from read_parquet($files, hive_partitioning = false);
