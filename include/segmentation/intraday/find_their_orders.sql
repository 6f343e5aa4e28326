-- The orders that are, or once were, of customers who are brought forward. Grain: order.
create or replace temp table their_orders as
select order_id from read_parquet($orders, hive_partitioning = false)
where customer_id in (select customer_id from wanted)
union
select order_id from new_orders
where customer_id in (select customer_id from wanted);
