-- The customers that have features as of the day. Grain: customer with at least one order.
create or replace temp table buyers as
select distinct customer_id from known_orders order by customer_id;
