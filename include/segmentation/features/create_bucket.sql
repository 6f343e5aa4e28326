-- Empty tables of one bucket of customers; what the shop does not have stays empty.
-- currency, rate and is_repeated say what the order's lines are worth, and which lines are of it.
create or replace temp table bucket_orders (
    order_id text, customer_id text, ordered_at timestamptz, updated_at timestamptz, status text,
    paid_cents bigint, discount_cents bigint, has_coupon boolean,
    currency text, rate decimal(20, 12), is_repeated boolean
);
create or replace temp table bucket_items (order_id text, product_id text, category text, revenue_cents bigint);
create or replace temp table bucket_events (
    event_id text, customer_id text, session_id text, occurred_at timestamptz, loaded_at timestamptz, event_type text,
    category text, channel text
);
create or replace temp table bucket_customers (customer_id text, created_at timestamptz);
