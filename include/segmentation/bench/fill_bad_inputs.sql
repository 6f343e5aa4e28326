-- A shop of 30 customers and 40 days up to 2026-06-10 whose tables refuse nothing: every id is a text, no column has to be
-- there, no key is unique and no number is too large. Runs in the transaction that creates the tables.
alter table shop.orders drop constraint orders_pkey;
alter table shop.order_items drop constraint order_items_pkey;
alter table shop.events drop constraint events_pkey;
alter table shop.customers drop constraint customers_pkey;
alter table shop.products drop constraint products_pkey;
alter table shop.orders
    alter order_id type text, alter customer_id type text, alter currency type text, alter total_amount type numeric,
    alter discount_amount type numeric, alter order_id drop not null, alter customer_id drop not null,
    alter ordered_at drop not null, alter status drop not null, alter currency drop not null,
    alter total_amount drop not null, alter discount_amount drop not null, alter updated_at drop not null;
alter table shop.order_items
    alter order_id type text, alter product_id type text, alter quantity type numeric, alter unit_price type numeric,
    alter discount_amount type numeric, alter order_id drop not null, alter line_no drop not null,
    alter product_id drop not null, alter quantity drop not null, alter unit_price drop not null,
    alter discount_amount drop not null;
alter table shop.events
    alter event_id type text, alter customer_id type text, alter product_id type text, alter event_id drop not null,
    alter occurred_at drop not null, alter event_type drop not null, alter loaded_at drop not null;
alter table shop.customers
    alter customer_id type text, alter customer_id drop not null, alter created_at drop not null,
    alter updated_at drop not null;
alter table shop.products
    alter product_id type text, alter list_price type numeric, alter product_id drop not null,
    alter updated_at drop not null;

insert into shop.customers (customer_id, created_at, country, updated_at)
select 'c' || c, timestamptz '2026-04-01Z', 'DE', timestamptz '2026-04-01Z' from generate_series(0, 29) as c;

insert into shop.products (product_id, category, brand, list_price, updated_at)
select 'p' || p, 'category ' || mod(p, 3), 'ours', 5, timestamptz '2026-04-01Z' from generate_series(0, 9) as p;

insert into shop.orders
select
    'o' || d || '-' || n, 'c' || mod(7 * d + n, 30), timestamptz '2026-06-10 08:00Z' - d * interval '1 day',
    'completed', 'EUR', 10 + mod(n, 5), 0, null, timestamptz '2026-06-10 08:00Z' - d * interval '1 day'
from generate_series(0, 39) as d cross join generate_series(0, 24) as n;

insert into shop.order_items
select order_id, 1, 'p' || mod(length(customer_id) + ascii(right(order_id, 1)), 10), 1, total_amount, 0
from shop.orders;

insert into shop.events
select
    'e' || order_id, customer_id, 's' || order_id, ordered_at - interval '1 minute', 'product_view', 'p1', 'web',
    null, ordered_at
from shop.orders
