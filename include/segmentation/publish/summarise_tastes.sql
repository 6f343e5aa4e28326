-- One row per taste that customers have on the newest published day, largest first.
select
    tastes.taste_id,
    tastes.name,
    count(*) as customers,
    count(*)::double precision / (select count(*) from marts.customer_segments) as share,
    tastes.description
from marts.customer_segments as customer
join marts.tastes on tastes.taste_id = customer.taste_id
group by tastes.taste_id
order by customers desc, tastes.taste_id
