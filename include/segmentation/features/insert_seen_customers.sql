-- Whose rows are in some of the bucket's files. Grain: customer and kind of file.
insert into seen_customers
select distinct customer_id from read_parquet($files, hive_partitioning = false) where customer_id is not null;
