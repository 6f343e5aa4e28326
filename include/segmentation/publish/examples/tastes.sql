-- Which tastes are there?
select taste_id, name, description
from marts.tastes
where status = 'active'
order by taste_id;

-- How many customers have each taste, and how many of them may be written to?
select tastes.name, count(*) as customers, count(*) filter (where not customer.holdout) as not_held_out
from marts.customer_segments as customer
join marts.tastes using (taste_id)
group by tastes.name
order by customers desc, tastes.name;

-- Since when has each taste been there, and how many customers have had it throughout?
select tastes.name, tastes.born_on, count(*) as customers
from marts.tastes
join marts.customer_segments as customer
    on customer.taste_id = tastes.taste_id and customer.taste_since = tastes.born_on
where tastes.status = 'active'
group by tastes.name, tastes.born_on
order by customers desc, tastes.name;
