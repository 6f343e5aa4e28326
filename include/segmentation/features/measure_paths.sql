-- Features from the order of events: what comes before a purchase. Grain: buyer, in order of customer_id.
-- Interval: [$since_365, $end). Not asked for a shop without events (all null then).
with
-- one row per customer with orders: how many follow a campaign
responding as (
    select customer_no, count(*) filter (where after_campaign) / count(*) as campaign_order_share
    from known_orders
    where ordered_at >= $since_365
    group by customer_no
),
-- one row per customer with orders placed in a visit
ordering as (
    select
        customer_no,
        count(*) filter (where searched) / count(*) as search_order_share,
        count(*) filter (where clicked) / count(*) as click_order_share,
        count(*) filter (where list_contains($app_channels, channel)) / nullif(count(channel), 0) as app_order_share
    from order_sessions
    group by customer_no
),
-- one row per visit with a cart: bought in the same visit, or else within seven days after it
cart as (
    select
        sessions.customer_no,
        exists(
            select 1 from order_sessions as o
            where o.customer_no = sessions.customer_no and o.session_id = sessions.session_id
        ) as bought_at_once,
        exists(
            select 1 from known_orders as o
            where
                o.customer_no = sessions.customer_no
                and o.ordered_at > sessions.ended_at
                and o.ordered_at <= sessions.ended_at + interval 7 days
        ) as bought_after
    from sessions
    where sessions.carts > 0
),
-- one row per customer with carts
carting as (
    select
        customer_no,
        count(*) filter (where not bought_at_once) / count(*) as cart_abandonment,
        count(*) filter (where not bought_at_once and bought_after)
            / nullif(count(*) filter (where bought_at_once or bought_after), 0) as later_cart_share
    from cart
    group by customer_no
)

select
    buyers.customer_id,
    responding.campaign_order_share,
    ordering.search_order_share,
    ordering.click_order_share,
    ordering.app_order_share,
    carting.cart_abandonment,
    carting.later_cart_share
from buyers
left join responding on responding.customer_no = buyers.customer_no
left join ordering on ordering.customer_no = buyers.customer_no
left join carting on carting.customer_no = buyers.customer_no
order by buyers.customer_no
