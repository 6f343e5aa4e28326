-- Which order was placed in which visit: the visit begun last before it, if it ended at most 30 minutes earlier.
-- Grain: order that falls in a visit. Interval: ordered_at in [$since_365, $end); known_orders is as of $end.
create or replace temp table order_sessions as
with
-- one row per customer and start: two visits that start at once count as one here
visit as (
    select * from sessions
    qualify row_number() over (partition by customer_no, started_at order by session_id) = 1
)

select
    o.order_id,
    o.customer_no,
    visit.session_id,
    visit.channel,
    coalesce(visit.searched_at <= o.ordered_at, false) as searched,
    coalesce(visit.clicked_at <= o.ordered_at, false) as clicked
from known_orders as o
asof inner join visit on visit.customer_no = o.customer_no and visit.started_at <= o.ordered_at
where o.ordered_at >= $since_365 and o.ordered_at <= visit.ended_at + interval 30 minutes;
