-- The bucket's orders. Grain: order. Interval: days up to $day, ordered_at before $end.
-- Amounts become whole cents of the reporting currency.
insert into bucket_orders by name
select
    o.order_id,
    customer.customer_no,
    o.ordered_at,
    o.updated_at,
    o.status,
    reported_cents(o.total_cents, o.currency, rate.rate) as paid_cents,
    reported_cents(o.discount_cents, o.currency, rate.rate) as discount_cents,
    o.has_coupon,
    o.currency,
    rate.rate,
    o.is_repeated
from counted_orders($files, $day, $end) as o
inner join numbered_customers as customer on customer.customer_id = o.customer_id
left join daily_rates as rate
    on rate.currency = other_currency(o.currency) and rate.day = rate_day(o.currency, o.ordered_at, $timezone);
