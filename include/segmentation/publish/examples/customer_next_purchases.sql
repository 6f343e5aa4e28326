-- What is each customer likeliest to buy next?
select customer_id, categories[1] as category, round(likelihoods[1]::numeric, 3) as likelihood
from marts.customer_next_purchases
where cardinality(categories) > 0
order by likelihoods[1] desc, customer_id
limit 20;

-- Who comes back for a product, and is likely to buy from some category?
select customer_id, products[1] as product_id, product_periods[1] as periods, categories[1] as category
from marts.customer_next_purchases
where cardinality(products) > 0 and cardinality(categories) > 0
order by product_periods[1] desc, customer_id
limit 20;

-- How many customers of each segment are likelier than the average to buy from some category?
select customer.segment_name, count(*) as customers, round(avg(cardinality(next.categories)), 1) as categories
from marts.customer_next_purchases as next
join marts.customer_segments as customer using (customer_id)
where cardinality(next.categories) > 0
group by customer.segment_name
order by customers desc, customer.segment_name;
