-- What of the kept months a night may see: rows of days up to its own.

-- Rows of spread files that are in the lake since the night's day or before.
create or replace temp macro spread_rows(files, last_day) as table
    select * from read_parquet(files, hive_partitioning = false) where day <= last_day;

-- Orders that are in the files of more than one day; see find_repeated_orders.sql. Grain: repeated order.
create or replace temp table repeated_orders (order_id text, ordered_at timestamptz);

-- Orders of known customers; of a repeated one only what repeated_orders says. Grain: order.
create or replace temp macro counted_orders(files, last_day, until) as table
    select o.*, repeated.order_id is not null as is_repeated
    from spread_rows(files, last_day) as o
    left join repeated_orders as repeated on repeated.order_id = o.order_id
    where
        o.ordered_at < until
        and o.customer_id is not null
        and (repeated.order_id is null or repeated.ordered_at = o.ordered_at);

-- Which category a product is in; empty for a shop without products. Grain: product.
create or replace temp table products (product_id text, category text);
