-- The bucket's customers who are learnt from, see TrainingSample. Grain: customer with an order.
create or replace temp table learnt as
with
-- one row per customer with an order: its place among all, in hexadecimal digits
placed as (
    select customer_no, left(md5(customer_id), 16) as place
    from numbered_customers
    where customer_no in (select customer_no from bucket_orders)
)

select customer_no from placed where place < $first or (place >= $second and place < $third);
