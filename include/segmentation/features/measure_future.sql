-- What the buyers of a cut-off did in the horizon after it. Grain: buyer, in order of customer_id.
-- Interval: [$start, $end); known_orders is as of $end. Null = undefined (no order, no visit, a shop without events).
with
-- one row per order but the first of the interval: seconds since the one before
gap as (
    select
        customer_no,
        cast(floor(epoch(ordered_at)) as bigint) - lag(cast(floor(epoch(ordered_at)) as bigint)) over (
            partition by customer_no order by ordered_at, length(order_id), order_id
        ) as seconds
    from known_orders
    where ordered_at >= $start
),
-- one row per customer with at least two orders in the interval
cadence as (
    select
        customer_no,
        count(seconds) as gaps,
        cast(sum(seconds) as double) as seconds,
        cast(sum(cast(seconds as hugeint) * seconds) as double) as seconds_squared
    from gap
    group by customer_no
),
-- one row per customer with an order in the interval
ordering as (
    select
        customer_no,
        count(*) as orders,
        cast(sum(net_cents) as double) as net_cents,
        cast(sum(paid_cents) as double) as paid_cents,
        cast(sum(discount_cents) as double) as discount_cents,
        count(*) filter (where returned) as returned,
        count(*) filter (where after_campaign) as after_campaign
    from known_orders
    where ordered_at >= $start
    group by customer_no
),
-- one row per session of a customer in the interval: what it held
visit as (
    select
        customer_no,
        bool_or(event_type = 'search') as searched,
        bool_or(event_type = 'add_to_cart') as filled,
        bool_or(event_type = 'purchase') as purchased
    from bucket_events
    where occurred_at >= $start and occurred_at < $end and session_id is not null
    group by customer_no, session_id
),
-- one row per customer with a session in the interval: ways to an order
way as (
    select
        customer_no,
        count(*) filter (where purchased) as purchases,
        count(*) filter (where purchased and searched) as searched_purchases,
        count(*) filter (where purchased and filled) as filled_purchases,
        count(*) filter (where filled) as filled_carts,
        count(*) filter (where filled and not purchased) as left_carts
    from visit
    group by customer_no
),
-- one row per customer with an event in the interval
activity as (
    select
        customer_no,
        count(distinct session_id) as sessions,
        count(*) filter (where session_id is not null and event_type in ('page_view', 'product_view')) as session_views,
        count(*) filter (where event_type = 'page_view') as n_page_view,
        count(*) filter (where event_type = 'product_view') as n_product_view,
        count(*) filter (where event_type = 'search') as n_search,
        count(*) filter (where event_type = 'add_to_cart') as n_add_to_cart,
        count(*) filter (where event_type = 'remove_from_cart') as n_remove_from_cart,
        count(*) filter (where event_type = 'checkout') as n_checkout,
        count(*) filter (where event_type = 'purchase') as n_purchase,
        count(*) filter (where event_type = 'campaign_sent') as n_campaign_sent,
        count(*) filter (where event_type = 'campaign_open') as n_campaign_open,
        count(*) filter (where event_type = 'campaign_click') as n_campaign_click,
        count(*) filter (where event_type = 'coupon_redeemed') as n_coupon_redeemed
    from bucket_events
    where occurred_at >= $start and occurred_at < $end
    group by customer_no
)

select
    buyers.customer_id,
    ordering.orders is not null as bought,
    coalesce(ordering.net_cents, 0) / 100 as spend,
    coalesce(ordering.orders, 0) as orders,
    case when $events_known then coalesce(activity.sessions, 0) end as sessions,
    case when $events_known then coalesce(activity.n_page_view, 0) end as n_page_view,
    case when $events_known then coalesce(activity.n_product_view, 0) end as n_product_view,
    case when $events_known then coalesce(activity.n_search, 0) end as n_search,
    case when $events_known then coalesce(activity.n_add_to_cart, 0) end as n_add_to_cart,
    case when $events_known then coalesce(activity.n_remove_from_cart, 0) end as n_remove_from_cart,
    case when $events_known then coalesce(activity.n_checkout, 0) end as n_checkout,
    case when $events_known then coalesce(activity.n_purchase, 0) end as n_purchase,
    case when $events_known then coalesce(activity.n_campaign_sent, 0) end as n_campaign_sent,
    case when $events_known then coalesce(activity.n_campaign_open, 0) end as n_campaign_open,
    case when $events_known then coalesce(activity.n_campaign_click, 0) end as n_campaign_click,
    case when $events_known then coalesce(activity.n_coupon_redeemed, 0) end as n_coupon_redeemed,
    activity.session_views / nullif(activity.sessions, 0) as views_per_session,
    case when $events_known then coalesce(activity.sessions, 0) / ordering.orders end as sessions_per_order,
    way.searched_purchases / nullif(way.purchases, 0) as search_order_share,
    way.filled_purchases / nullif(way.purchases, 0) as cart_order_share,
    way.left_carts / nullif(way.filled_carts, 0) as left_cart_share,
    activity.n_remove_from_cart / nullif(activity.n_add_to_cart, 0) as removed_share,
    case when $events_known then ordering.after_campaign / ordering.orders end as campaign_order_share,
    ordering.discount_cents / nullif(ordering.paid_cents + ordering.discount_cents, 0) as discount_share,
    ordering.returned / ordering.orders as returns_share,
    cadence.seconds / nullif(cadence.gaps, 0) / 86400 as gap_days_mean,
    case
        when cadence.gaps >= 2 and cadence.seconds > 0
            then sqrt(greatest(cadence.gaps * cadence.seconds_squared - cadence.seconds * cadence.seconds, 0))
                / cadence.seconds
    end as gap_days_variation
from buyers
left join ordering on ordering.customer_no = buyers.customer_no
left join cadence on cadence.customer_no = buyers.customer_no
left join activity on activity.customer_no = buyers.customer_no
left join way on way.customer_no = buyers.customer_no
order by buyers.customer_no
