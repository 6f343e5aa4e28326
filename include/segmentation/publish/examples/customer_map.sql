-- The newest map as points, to be drawn by any tool
select segments.name as segment, point.x, point.y
from marts.customer_map as map
cross join lateral unnest(map.segment_ids, map.x, map.y) as point (segment_id, x, y)
join marts.segments on segments.segment_id = point.segment_id
where map.as_of = (select max(as_of) from marts.customer_map)
order by segment, point.x, point.y;

-- Where on the map does each segment lie?
select segments.name as segment, count(*) as points, round(avg(point.x)::numeric, 2) as x, round(avg(point.y)::numeric, 2) as y
from marts.customer_map as map
cross join lateral unnest(map.segment_ids, map.x, map.y) as point (segment_id, x, y)
join marts.segments on segments.segment_id = point.segment_id
where map.as_of = (select max(as_of) from marts.customer_map)
group by segments.name
order by segment;

-- What do the axes mean, and how much of the differences do they show?
select as_of, x_axis, y_axis, round(100 * explained::numeric) as percent, customers
from marts.customer_map
order by as_of;
