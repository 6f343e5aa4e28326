-- Who changed segment in the last seven days?
select earlier.name as moved_from, present.name as moved_to, count(*) as customers
from marts.customer_segments as customer
join marts.segments as present on present.segment_id = customer.segment_id
join marts.segments as earlier on earlier.segment_id = customer.previous_segment_id
where customer.since > customer.as_of - 7
group by earlier.name, present.name
order by customers desc, moved_from, moved_to
limit 5;

-- Whom to write to: the surest members of the segment that spends most
select customer_id, segment_name, since, round(confidence::numeric, 2) as confidence, reasons[1] as main_reason
from marts.customer_segments
where not holdout
  and segment_id = (
      select segment_id
      from marts.segment_profiles
      where as_of = (select max(as_of) from marts.customer_segments) and segment_id <> 0
      order by revenue_28d / customers desc nulls last
      limit 1
  )
order by confidence desc, customer_id
limit 5;

-- Which tastes does each segment have?
select segment_name, coalesce(taste_name, 'none known') as taste, count(*) as customers
from marts.customer_segments
group by segment_name, taste
order by segment_name, customers desc, taste;
