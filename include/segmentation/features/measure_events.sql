-- Features from visits and campaigns. Grain: buyer, in order of customer_id. Interval: before $end.
-- Not asked for a shop without events (all null then); a count of a customer without events is 0.
with
-- one row per customer with events in 365 days
activity as (
    select
        customer_no,
        max(occurred_at) filter (where event_type <> 'campaign_sent') as last_at,
        count(*) filter (where event_type = 'page_view' and occurred_at >= $since_28) as page_views_28,
        count(*) filter (where event_type = 'page_view' and occurred_at >= $since_91) as page_views_91,
        count(*) filter (where event_type = 'product_view' and occurred_at >= $since_28) as product_views_28,
        count(*) filter (where event_type = 'product_view' and occurred_at >= $since_91) as product_views_91,
        count(*) filter (where event_type = 'search' and occurred_at >= $since_28) as searches_28,
        count(*) filter (where event_type = 'search' and occurred_at >= $since_91) as searches_91,
        count(*) filter (where event_type = 'add_to_cart' and occurred_at >= $since_28) as carts_28,
        count(*) filter (where event_type = 'add_to_cart' and occurred_at >= $since_91) as carts_91,
        count(*) filter (where event_type = 'remove_from_cart' and occurred_at >= $since_28) as cart_removals_28,
        count(*) filter (where event_type = 'remove_from_cart' and occurred_at >= $since_91) as cart_removals_91,
        count(*) filter (where event_type = 'checkout' and occurred_at >= $since_28) as checkouts_28,
        count(*) filter (where event_type = 'checkout' and occurred_at >= $since_91) as checkouts_91,
        count(*) filter (where event_type = 'campaign_sent' and occurred_at >= $since_91) as campaigns_sent_91,
        count(*) filter (where event_type = 'campaign_sent') as campaigns_sent_365,
        count(*) filter (where event_type = 'campaign_open') as campaign_opens_365,
        count(*) filter (where event_type = 'campaign_click') as campaign_clicks_365,
        count(*) filter (where event_type = 'coupon_redeemed' and occurred_at >= $since_91) as coupons_redeemed_91,
        count(*) filter (where event_type = 'coupon_redeemed') as coupons_redeemed_365
    from bucket_events
    where occurred_at >= $since_365 and occurred_at < $end
    group by customer_no
),
-- one row per customer with visits in 365 days; a visit belongs to the window it starts in
visiting as (
    select
        customer_no,
        count(*) filter (where started_at >= $since_28) as sessions_28,
        count(*) filter (where started_at >= $since_56 and started_at < $since_28) as sessions_previous_28,
        count(*) filter (where started_at >= $since_91) as sessions_91,
        cast(sum(views) filter (where started_at >= $since_91) as double) as views_91,
        cast(sum(epoch_us(ended_at) - epoch_us(started_at)) filter (where started_at >= $since_91) as double)
            as microseconds_91,
        count(*) filter (where started_at >= $since_91 and searched_at is not null) as with_search_91,
        count(*) filter (where started_at >= $since_91 and hour(timezone($timezone, started_at)) >= 18) as evening_91
    from sessions
    group by customer_no
),
-- one row per customer with orders in 91 days
bought as (
    select customer_no, count(*) as orders_91
    from known_orders
    where ordered_at >= $since_91
    group by customer_no
)

select
    buyers.customer_id,
    (epoch_us($end) - epoch_us(activity.last_at)) / 86400e6 as days_since_last_event,
    coalesce(visiting.sessions_28, 0) as sessions_28d,
    coalesce(visiting.sessions_91, 0) as sessions_91d,
    ln(1 + coalesce(visiting.sessions_28, 0)) - ln(1 + coalesce(visiting.sessions_previous_28, 0)) as sessions_trend_28d,
    coalesce(activity.page_views_28, 0) as page_views_28d,
    coalesce(activity.page_views_91, 0) as page_views_91d,
    coalesce(activity.product_views_28, 0) as product_views_28d,
    coalesce(activity.product_views_91, 0) as product_views_91d,
    coalesce(activity.searches_28, 0) as searches_28d,
    coalesce(activity.searches_91, 0) as searches_91d,
    coalesce(activity.carts_28, 0) as carts_28d,
    coalesce(activity.carts_91, 0) as carts_91d,
    coalesce(activity.cart_removals_28, 0) as cart_removals_28d,
    coalesce(activity.cart_removals_91, 0) as cart_removals_91d,
    coalesce(activity.checkouts_28, 0) as checkouts_28d,
    coalesce(activity.checkouts_91, 0) as checkouts_91d,
    visiting.views_91 / nullif(visiting.sessions_91, 0) as views_per_session,
    visiting.microseconds_91 / nullif(visiting.sessions_91, 0) / 60e6 as minutes_per_session,
    visiting.sessions_91 / bought.orders_91 as sessions_per_order,
    visiting.with_search_91 / nullif(visiting.sessions_91, 0) as search_session_share,
    visiting.evening_91 / nullif(visiting.sessions_91, 0) as evening_session_share,
    activity.product_views_91 / nullif(activity.carts_91, 0) as views_per_cart,
    activity.cart_removals_91 / nullif(activity.carts_91, 0) as cart_removal_share,
    coalesce(activity.campaigns_sent_91, 0) as campaigns_sent_91d,
    coalesce(activity.campaigns_sent_365, 0) as campaigns_sent_365d,
    case when activity.campaigns_sent_365 > 0 then least(activity.campaign_opens_365 / activity.campaigns_sent_365, 1) end
        as campaign_open_share,
    case when activity.campaigns_sent_365 > 0 then least(activity.campaign_clicks_365 / activity.campaigns_sent_365, 1) end
        as campaign_click_share,
    coalesce(activity.coupons_redeemed_91, 0) as coupons_redeemed_91d,
    coalesce(activity.coupons_redeemed_365, 0) as coupons_redeemed_365d
from buyers
left join activity on activity.customer_no = buyers.customer_no
left join visiting on visiting.customer_no = buyers.customer_no
left join bought on bought.customer_no = buyers.customer_no
order by buyers.customer_no
