-- What an order looks like on the day it is placed; nothing in here can change afterwards.
-- Grain: order of the bucket.
create or replace temp table described_orders as
with
-- one row per order and category: what was spent on it
order_category as (
    select order_id, category, sum(revenue_cents) as revenue_cents, count(*) as lines
    from bucket_items
    group by order_id, category
),
-- one row per order with lines: how many, and the category most was spent on
basket as (
    select
        order_id,
        sum(lines) as lines,
        first(category order by revenue_cents desc, category) filter (where category is not null) as top_category
    from order_category
    group by order_id
),
-- one row per order that follows a campaign: opened or clicked in the three days before, or a coupon of the same day
-- (redemptions often carry a date only)
campaign_order as (
    select distinct o.order_id
    from bucket_orders as o
    inner join bucket_events as e on e.customer_id = o.customer_id
    where
        (
            e.event_type in ('campaign_open', 'campaign_click')
            and e.occurred_at <= o.ordered_at
            and e.occurred_at > o.ordered_at - interval 3 days
        )
        or (
            e.event_type = 'coupon_redeemed'
            and cast(timezone($timezone, e.occurred_at) as date) = cast(timezone($timezone, o.ordered_at) as date)
        )
)

select
    o.order_id,
    o.customer_id,
    o.ordered_at,
    timezone($timezone, o.ordered_at) as local_at,
    o.updated_at,
    o.status,
    o.paid_cents,
    o.discount_cents,
    o.has_coupon,
    basket.lines,
    basket.top_category,
    campaign_order.order_id is not null as after_campaign
from bucket_orders as o
left join basket on basket.order_id = o.order_id
left join campaign_order on campaign_order.order_id = o.order_id;
