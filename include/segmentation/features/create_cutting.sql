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

-- Events of a bucket's files; of one in the files of several days (repeated_hashes tells which may be, as a rule none is),
-- the one loaded last, then the latest.
-- Nobody can tell of events without a key (released from quarantine) whether they are repeated: each counts.
create or replace temp macro counted_events(files, last_day, until) as table (
    select * from spread_rows(files, last_day)
    where occurred_at < until and (event_id is null or hash(event_id) not in (select hash from repeated_hashes))
    union all by name
    select * from spread_rows(files, last_day)
    where occurred_at < until and event_id is not null and hash(event_id) in (select hash from repeated_hashes)
    qualify row_number() over (partition by event_id order by loaded_at desc nulls last, occurred_at desc) = 1
);

-- Which category a product is in; empty for a shop without products. Grain: product. Categories are numbered in the order
-- of their names.
create or replace temp table products (product_id text, category text, category_no integer);
create or replace temp view categories as
select distinct category_no, category from products where category_no is not null;
