-- The orders as they were known at $end: what happened to them later is not.
-- Grain: order. Interval: ordered_at before $end; a cancellation or a return counts if updated_at is before $end too.
create or replace temp table known_orders as
select
    order_id, customer_no, ordered_at, local_at, paid_cents, discount_cents, has_coupon, lines, top_category_no,
    after_campaign,
    list_contains($returned, status) and updated_at < $end as returned,
    case when list_contains($returned, status) and updated_at < $end then 0 else paid_cents end as net_cents
from described_orders
where ordered_at < $end and not (list_contains($void, status) and updated_at < $end);
