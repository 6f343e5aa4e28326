-- What became of the segments in the last 30 days, newest first?
select as_of, event, detail
from marts.segment_lifecycle
where as_of > (select max(as_of) - 30 from marts.customer_segments)
order by as_of desc, event, segment_id;

-- How often do segments change? Events of each kind by month
select date_trunc('month', as_of)::date as month, event, count(*) as events
from marts.segment_lifecycle
group by month, event
order by month, event;

-- From which segments did a new one take its customers?
select lifecycle.as_of, segments.name, other.name as came_from
from marts.segment_lifecycle as lifecycle
join marts.segments using (segment_id)
cross join unnest(lifecycle.other_segment_ids) as other_id
join marts.segments as other on other.segment_id = other_id
where lifecycle.event = 'born'
order by lifecycle.as_of, segments.name, came_from;
