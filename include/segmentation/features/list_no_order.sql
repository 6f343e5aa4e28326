-- Known customers who have not ordered up to $end: from the customers table and from their events. Grain: customer.
with
-- one row per customer with a trace in the shop
known as (
    select customer_id from bucket_customers where created_at < $end or created_at is null
    union
    select customer_id from bucket_events where occurred_at < $end
)

select customer_id from known
where customer_id not in (select customer_id from buyers)
order by customer_id
