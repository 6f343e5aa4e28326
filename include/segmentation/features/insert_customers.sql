-- The bucket's customers, as spread. Grain as in select_customers.sql.
insert into bucket_customers by name
select numbered.customer_no, customer.created_at
from read_parquet($files, hive_partitioning = false) as customer
inner join numbered_customers as numbered on numbered.customer_id = customer.customer_id;
