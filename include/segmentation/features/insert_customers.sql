-- The bucket's customers, as spread. Grain as in select_customers.sql.
insert into bucket_customers by name
select * from read_parquet($files, hive_partitioning = false);
