-- Empty tables of one bucket of customers; what the shop does not have stays empty.
-- Customers and categories are known by number, see number_customers.sql and create_cutting.sql.
-- currency, rate and is_repeated say what the order's lines are worth, and which lines are of it.
-- An event's key is its id, or what it is, if it has none.
create or replace temp table seen_customers (customer_id text);
create or replace temp table bucket_orders (
    order_id text, customer_no integer, ordered_at timestamptz, updated_at timestamptz, status text,
    paid_cents bigint, discount_cents bigint, has_coupon boolean,
    currency text, rate decimal(20, 12), is_repeated boolean
);
create or replace temp table bucket_items (order_id text, product_id text, category_no integer, revenue_cents bigint);
create or replace temp table bucket_events (
    key text, customer_no integer, session_id text, occurred_at timestamptz, event_type text, category_no integer,
    channel text
);
create or replace temp table bucket_customers (customer_no integer, created_at timestamptz);
