-- All rows of their orders, as the next night's checked files would have them. Grain: order of a day's file.
select * from read_parquet($orders, hive_partitioning = false)
where order_id in (select order_id from their_orders) and order_id not in (select order_id from fetched_orders)
union all by name
select * from new_orders
where order_id in (select order_id from their_orders)
