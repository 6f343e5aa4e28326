-- Which tastes are commoner in a segment than in the shop?
select segments.name as segment, tastes.name as taste, mix.customers, round(mix.lift::numeric, 2) as lift
from marts.segment_tastes as mix
join marts.segments using (segment_id)
join marts.tastes using (taste_id)
where mix.as_of = (select max(as_of) from marts.customer_segments) and mix.lift > 1
order by mix.lift desc, segment, taste;

-- What do the customers of each segment like?
select segments.name as segment, tastes.name as taste, round(100 * mix.share::numeric, 1) as percent
from marts.segment_tastes as mix
join marts.segments using (segment_id)
join marts.tastes using (taste_id)
where mix.as_of = (select max(as_of) from marts.customer_segments)
order by segment, percent desc, taste;

-- How many customers have each taste?
select tastes.name as taste, sum(mix.customers) as customers
from marts.segment_tastes as mix
join marts.tastes using (taste_id)
where mix.as_of = (select max(as_of) from marts.customer_segments)
group by tastes.name
order by customers desc, taste;
