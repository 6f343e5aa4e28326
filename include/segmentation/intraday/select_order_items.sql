-- The lines of their orders, as the next night's checked files would have them. Grain: order line.
select * from read_parquet($order_items, hive_partitioning = false)
where order_id in (select order_id from their_orders) and order_id not in (select order_id from fetched_orders)
union all by name
select * from new_order_items
where order_id in (select order_id from their_orders)
