-- One row per segment and taste (DuckDB): how many customers of the segment have it, their share, and the lift over
-- the taste's share among all who have one. Few customers are left out.
-- Reads the view labels. Parameter: minimum_customers.
with pairs as (
    select segment_id, taste_id, cast(count(*) as bigint) as customers
    from labels
    where taste_id is not null
    group by segment_id, taste_id
),

shares as (
    select
        *,
        customers / sum(customers) over (partition by segment_id) as share,
        sum(customers) over (partition by taste_id) / sum(customers) over () as shop_share
    from pairs
)

select segment_id, taste_id, customers, round(share, 6) as share, round(share / shop_share, 4) as lift
from shares
where customers >= $minimum_customers
order by segment_id, taste_id
