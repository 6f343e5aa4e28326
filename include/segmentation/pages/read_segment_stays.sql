-- One row per stay of one customer in a segment, newest first. Parameter: customer_id.
select stay.*, segments.name
from marts.customer_segment_history as stay
left join marts.segments using (segment_id)
where stay.customer_id = :customer_id
order by stay.valid_from desc
limit 100
