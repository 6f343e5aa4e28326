-- What an order looks like on the day it is placed; nothing in here can change afterwards.
-- Grain: order of the bucket.
create or replace temp table described_orders as
with
-- one row per order and category: what was spent on it
order_category as (
    select order_id, category_no, sum(revenue_cents) as revenue_cents, count(*) as lines
    from bucket_items
    group by order_id, category_no
),
-- one row per order with lines: how many, and the category most was spent on
basket as (
    select
        order_id,
        sum(lines) as lines,
        first(category_no order by revenue_cents desc, category_no) filter (where category_no is not null)
            as top_category_no
    from order_category
    group by order_id
),
-- one row per coupon and local day
redeemed as (
    select distinct customer_no, cast(timezone($timezone, occurred_at) as date) as day
    from bucket_events
    where event_type = 'coupon_redeemed'
),
-- one row per campaign opened or clicked
answered as (
    select customer_no, occurred_at
    from bucket_events
    where event_type in ('campaign_open', 'campaign_click')
),
-- one row per order that follows a campaign: the last one opened or clicked is of the three days before, or a coupon of
-- the same day (redemptions often carry a date only)
campaign_order as (
    select o.order_id
    from bucket_orders as o
    asof inner join answered on answered.customer_no = o.customer_no and answered.occurred_at <= o.ordered_at
    where answered.occurred_at > o.ordered_at - interval 3 days
    union
    select o.order_id
    from bucket_orders as o
    inner join redeemed
        on redeemed.customer_no = o.customer_no and redeemed.day = cast(timezone($timezone, o.ordered_at) as date)
)

select
    o.order_id,
    o.customer_no,
    o.ordered_at,
    timezone($timezone, o.ordered_at) as local_at,
    o.updated_at,
    o.status,
    o.paid_cents,
    o.discount_cents,
    o.has_coupon,
    basket.lines,
    basket.top_category_no,
    campaign_order.order_id is not null as after_campaign
from bucket_orders as o
left join basket on basket.order_id = o.order_id
left join campaign_order on campaign_order.order_id = o.order_id;
