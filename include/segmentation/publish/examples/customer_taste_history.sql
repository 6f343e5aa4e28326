-- Which tastes has a customer had, and when?
select history.customer_id, history.valid_from, history.valid_to, tastes.name
from marts.customer_taste_history as history
join marts.tastes using (taste_id)
where history.customer_id = (select min(customer_id) from marts.customer_taste_history)
order by history.valid_from;

-- How many customers had each taste a week ago?
select tastes.name, count(*) as customers
from marts.customer_taste_history as history
join marts.tastes using (taste_id)
where history.valid_from <= (select max(as_of) - 7 from marts.customer_segments)
  and (history.valid_to is null or history.valid_to > (select max(as_of) - 7 from marts.customer_segments))
group by tastes.name
order by customers desc, tastes.name;

-- From which taste to which have customers gone?
select earlier.name as moved_from, later.name as moved_to, count(*) as customers
from marts.customer_taste_history as before
join marts.customer_taste_history as after
    on after.customer_id = before.customer_id and after.valid_from = before.valid_to
join marts.tastes as earlier on earlier.taste_id = before.taste_id
join marts.tastes as later on later.taste_id = after.taste_id
group by earlier.name, later.name
order by customers desc, moved_from, moved_to;
