-- Who moved last night because they behave differently?
select earlier.name as moved_from, later.name as moved_to, transition.by_behaviour as customers
from marts.segment_transitions as transition
join marts.segments as earlier on earlier.segment_id = transition.from_segment_id
join marts.segments as later on later.segment_id = transition.to_segment_id
where transition.as_of = (select max(as_of) from marts.customer_segments)
  and transition.by_behaviour > 0
order by customers desc, moved_from, moved_to;

-- How many customers came, left, stayed and moved each night?
select as_of,
       sum(customers) filter (where from_segment_id = -1) as came,
       sum(customers) filter (where to_segment_id = -1) as went,
       sum(customers) filter (where from_segment_id = to_segment_id) as stayed,
       sum(by_behaviour) as moved,
       sum(by_relabelling) as relabelled
from marts.segment_transitions
group by as_of
order by as_of;

-- Which segments win customers from others, and which lose them? Moves by behaviour over all nights
select segments.name,
       sum(case when transition.to_segment_id = segments.segment_id then transition.by_behaviour else 0 end) as won,
       sum(case when transition.from_segment_id = segments.segment_id then transition.by_behaviour else 0 end) as lost
from marts.segment_transitions as transition
join marts.segments on segments.segment_id in (transition.from_segment_id, transition.to_segment_id)
where transition.from_segment_id <> transition.to_segment_id
group by segments.name
order by won desc, segments.name;
