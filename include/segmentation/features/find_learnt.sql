-- The bucket's customers who are learnt from, see TrainingSample. Grain: customer with an order.
create or replace temp table learnt as
select distinct customer_id
from bucket_orders
where
    left(md5(customer_id), 16) < $first
    or (left(md5(customer_id), 16) >= $second and left(md5(customer_id), 16) < $third);
