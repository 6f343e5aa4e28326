-- What is known of them: of who came or changed since the lake's last day, what the shop says now. Grain: customer.
select * from read_parquet($customers, hive_partitioning = false)
where customer_id in (select customer_id from wanted) and customer_id not in (select customer_id from new_customers)
union all by name
select * from new_customers
where customer_id in (select customer_id from wanted)
