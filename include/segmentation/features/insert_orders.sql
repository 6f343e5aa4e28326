-- The bucket's orders, as spread. Grain as in select_orders.sql.
insert into bucket_orders by name
select * from read_parquet($files, hive_partitioning = false);
