-- One row per stay of one customer in a taste, newest first. Parameter: customer_id.
select stay.*, tastes.name
from marts.customer_taste_history as stay
left join marts.tastes using (taste_id)
where stay.customer_id = :customer_id
order by stay.valid_from desc
limit 100
