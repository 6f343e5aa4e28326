-- How many customers are likelier than the average to buy from each category in the next 28 days?
select category, count(*) as customers, round(sum(likelihood)::numeric, 1) as expected_buyers
from marts.customer_interests
group by category
order by expected_buyers desc, category;

-- Who has not bought from a category in a year, but is likely to?
select customer_id, category, round(likelihood::numeric, 3) as likelihood
from marts.customer_interests
where bought_periods = 0
order by likelihood desc, customer_id, category
limit 20;

-- What is each segment interested in?
select customer.segment_name, interest.category, count(*) as customers
from marts.customer_interests as interest
join marts.customer_segments as customer using (customer_id)
group by customer.segment_name, interest.category
order by customer.segment_name, customers desc, interest.category;
