-- One row: the loaded figures in the order of complete_journey._reconcile; money in integer cents.
with lines as (
    -- one row per order: what its lines add up to
    select
        order_id,
        count(*) as lines,
        sum(round(100 * (quantity * unit_price - discount_amount)))::bigint as paid,
        sum(100 * discount_amount)::bigint as off
    from shop.order_items
    group by order_id
),

compared as (
    -- one row per order, or per order id that only lines know
    select
        o.order_id,
        o.customer_id,
        o.coupon_code,
        (100 * o.total_amount)::bigint as paid,
        (100 * o.discount_amount)::bigint as off,
        l.lines,
        l.paid as paid_lines,
        l.off as off_lines
    from shop.orders as o
    full join lines as l on l.order_id = o.order_id
)

select
    count(order_id) as orders,
    sum(lines)::bigint as order_lines,
    count(distinct customer_id) as customers,
    sum(paid)::bigint as paid,
    sum(paid_lines)::bigint as paid_lines,
    sum(off)::bigint as off,
    sum(off_lines)::bigint as off_lines,
    count(*) filter (where (paid, off) is distinct from (paid_lines, off_lines)) as different,
    count(*) filter (where coupon_code is not null) as with_coupon,
    (select count(*) from shop.events where event_type = 'campaign_sent') as sent,
    (select count(*) from shop.events where event_type = 'coupon_redeemed') as redeemed
from compared;
