-- What should be done about each segment?
select segments.name, action.action, action.offer, action.channel, action.timing, action.expected_value
from marts.segment_actions as action
join marts.segments using (segment_id)
where action.rank = 1 and action.as_of = (select max(as_of) from marts.customer_segments)
order by action.expected_value desc nulls last, segments.name;

-- Why? All actions of a segment with the reasons and the evidence
select segments.name, action.rank, action.action, action.evidence, action.rationale
from marts.segment_actions as action
join marts.segments using (segment_id)
where action.as_of = (select max(as_of) from marts.customer_segments)
order by segments.name, action.rank;

-- Which recommended actions has nobody tried yet?
select action, count(*) as segments, sum(expected_value) as expected_value
from marts.segment_actions
where evidence = 'untested' and rank = 1 and as_of = (select max(as_of) from marts.customer_segments)
group by action
order by expected_value desc nulls last, action;
