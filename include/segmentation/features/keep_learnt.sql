-- Leaves in the bucket's tables only the customers who are learnt from; describe what is left again after.
delete from bucket_orders where customer_no not in (select customer_no from learnt);
delete from bucket_items where order_id not in (select order_id from bucket_orders where order_id is not null);
delete from bucket_events where customer_no not in (select customer_no from learnt);
