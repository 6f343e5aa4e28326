select earlier.name as moved_from, present.name as moved_to, count(*) as customers
from marts.customer_segments as customer
join marts.segments as present on present.segment_id = customer.segment_id
join marts.segments as earlier on earlier.segment_id = customer.previous_segment_id
where customer.since > customer.as_of - 7
group by earlier.name, present.name
order by customers desc, moved_from, moved_to
limit 5
