-- Let some customers do something today, in the simulated shop: an order with two lines, and five looks before it, all
-- within the hour before {now}. The customers are those with the lowest ids that a hash gives.
create temporary table busy as
select customer_id, row_number() over (order by md5(customer_id::text)) as number
from shop.customers
order by 2
limit {changed};

insert into shop.orders (order_id, customer_id, ordered_at, status, currency, total_amount, updated_at)
select
    (select max(order_id) from shop.orders) + number, customer_id, {now}::timestamptz - interval '1 minute',
    'completed', (select min(currency) from shop.orders), 20 + number % 180, {now}::timestamptz - interval '1 minute'
from busy;

insert into shop.order_items (order_id, line_no, product_id, quantity, unit_price)
select (select max(order_id) from shop.orders) - (select count(*) from busy) + busy.number, line_no, product_id, 1, 10
from busy
cross join generate_series(1, 2) as line_no
join lateral (
    select product_id from shop.products offset (busy.number * line_no) % (select count(*) from shop.products) limit 1
) as product on true;

insert into shop.events (event_id, customer_id, session_id, occurred_at, event_type, product_id, channel, loaded_at)
select
    (select max(event_id) from shop.events) + busy.number * 5 + look, customer_id, 'today ' || customer_id,
    {now}::timestamptz - (10 - look) * interval '1 minute', 'product_view',
    (select min(product_id) from shop.products) + look, 'web', {now}::timestamptz - (10 - look) * interval '1 minute'
from busy
cross join generate_series(1, 5) as look;
