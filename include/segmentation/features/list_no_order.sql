-- Known customers who have not ordered up to $end: from the customers table and from their events. Grain: customer.
with
-- one row per customer with a trace in the shop
known as (
    select customer_no from bucket_customers where created_at < $end or created_at is null
    union
    select customer_no from bucket_events where occurred_at < $end
)

select customer.customer_id
from known
inner join numbered_customers as customer on customer.customer_no = known.customer_no
where known.customer_no not in (select customer_no from buyers)
order by known.customer_no
