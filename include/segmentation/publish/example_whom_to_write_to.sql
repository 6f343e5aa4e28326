select customer_id, segment_name, since, round(confidence::numeric, 2) as confidence, reasons[1] as main_reason
from marts.customer_segments
where not holdout
  and segment_id = (
      select segment_id
      from marts.segment_profiles
      where as_of = (select max(as_of) from marts.customer_segments) and segment_id <> 0
      order by revenue_28d / customers desc
      limit 1
  )
order by confidence desc, customer_id
limit 5
