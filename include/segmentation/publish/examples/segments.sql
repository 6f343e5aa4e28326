-- Which segments are there, what are they, and how does one tell who is in them?
select segment_id, name, description, array_to_string(rules, ' and ') as rules
from marts.segments
where status = 'active'
order by segment_id;

-- Which segments are no more, and how long were they there?
select segment_id, name, born_on, retired_on, retired_on - born_on as days
from marts.segments
where status = 'retired'
order by retired_on desc, segment_id;

-- From which segments did the present ones come? Share of the customers at birth
select born.name, parent.name as came_from, round(100 * origin.value::numeric) as percent_of_customers
from marts.segments as born
cross join jsonb_each_text(born.lineage) as origin
join marts.segments as parent on parent.segment_id = origin.key::integer
where born.status = 'active'
order by born.segment_id, percent_of_customers desc, came_from;
