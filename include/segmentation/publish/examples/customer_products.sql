-- Which products do most customers come back for?
select product_id, count(*) as customers, round(avg(periods), 1) as periods
from marts.customer_products
group by product_id
order by customers desc, product_id
limit 20;

-- Who comes back for each product most often?
select distinct on (bought.product_id) bought.product_id, bought.customer_id, bought.periods, customer.segment_name
from marts.customer_products as bought
join marts.customer_segments as customer using (customer_id)
order by bought.product_id, bought.periods desc, bought.customer_id;

-- Which segments have products that they come back for?
select customer.segment_name, count(distinct bought.customer_id) as customers, count(*) as products
from marts.customer_products as bought
join marts.customer_segments as customer using (customer_id)
group by customer.segment_name
order by customers desc, customer.segment_name;
