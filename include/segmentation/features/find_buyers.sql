-- The customers that have features as of the day. Grain: customer with at least one order.
create or replace temp table buyers as
select customer_no, customer_id from numbered_customers
where customer_no in (select customer_no from known_orders)
order by customer_no;
