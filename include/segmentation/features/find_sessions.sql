-- Visits of the last 365 days as of $end.
-- Grain: customer, session_id. Interval: occurred_at in [$since_365, $end); a visit that crosses an end is cut there.
create or replace temp table sessions as
select
    customer_no,
    session_id,
    min(occurred_at) as started_at,
    max(occurred_at) as ended_at,
    count(*) filter (where event_type in ('page_view', 'product_view')) as views,
    count(*) filter (where event_type = 'add_to_cart') as carts,
    min(occurred_at) filter (where event_type = 'search') as searched_at,
    min(occurred_at) filter (where event_type = 'campaign_click') as clicked_at,
    min(occurred_at) filter (where event_type = 'add_to_cart') as carted_at,
    min(channel) as channel
from bucket_events
where session_id is not null and occurred_at >= $since_365 and occurred_at < $end
group by customer_no, session_id;
