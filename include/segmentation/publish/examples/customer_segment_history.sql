-- Which segments has a customer been in, and when?
select history.customer_id, history.valid_from, history.valid_to, segments.name
from marts.customer_segment_history as history
join marts.segments using (segment_id)
where history.customer_id = (select min(customer_id) from marts.customer_segments)
order by history.valid_from;

-- How many customers were in each segment a week ago?
select segments.name, count(*) as customers
from marts.customer_segment_history as history
join marts.segments using (segment_id)
where history.valid_from <= (select max(as_of) - 7 from marts.customer_segments)
  and (history.valid_to is null or history.valid_to > (select max(as_of) - 7 from marts.customer_segments))
group by segments.name
order by customers desc, segments.name;

-- How long do customers stay in a segment before they leave it? Stays that have ended, in days
select segments.name,
       count(*) as ended_stays,
       percentile_cont(0.5) within group (order by history.valid_to - history.valid_from) as days_median
from marts.customer_segment_history as history
join marts.segments using (segment_id)
where history.valid_to is not null
group by segments.name
order by ended_stays desc, segments.name;
