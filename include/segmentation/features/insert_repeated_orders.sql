-- The repeated orders as they were found for the night. Grain: repeated order.
insert into repeated_orders
select order_id, ordered_at from read_parquet($file, hive_partitioning = false);
