-- The bucket's events. Grain: event; of a repeated one, what counted_events says.
-- Interval: days up to $day, occurred_at before $end; before $since what find_needed_events.sql says.
insert into bucket_events by name
select
    coalesce(event.event_id, event.event_type || '/' || coalesce(product.category, '')) as key,
    customer.customer_no,
    event.session_id,
    event.occurred_at,
    event.event_type,
    product.category_no,
    event.channel
from counted_events($files, $day, $end) as event
inner join numbered_customers as customer on customer.customer_id = event.customer_id
left join needed_events as needed on needed.customer_id = event.customer_id
left join products as product on product.product_id = event.product_id
where event.occurred_at >= $since or event.occurred_at >= needed.since;
