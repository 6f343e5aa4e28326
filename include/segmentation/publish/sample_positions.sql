-- One row per point of the map (DuckDB): segment and position of a sample of customers, the same ones every night as
-- far as they are still there. A segment of few customers is left out.
-- Reads the view labels. Parameters: minimum_customers, points.
with large as (
    select segment_id
    from labels
    group by segment_id
    having count(*) >= $minimum_customers
)

select labels.segment_id, labels.position
from labels
join large using (segment_id)
where labels.position is not null
order by md5(labels.customer_id), labels.customer_id
limit $points
