-- How rows are placed when a month is spread.

-- The business day whose file a row is in.
create or replace temp macro lake_day(filename) as
    cast(regexp_extract(filename, 'day=(\d{4}-\d{2}-\d{2})/[^/]+$', 1) as date);

-- The customer's bucket, from 0; -1 for nobody.
create or replace temp macro customer_bucket(customer_id, buckets) as
    coalesce(cast(md5_number_lower(cast(customer_id as text)) % buckets as integer), -1);

-- In which bucket the lines of an order are. Grain: order of a day's file.
create or replace temp table order_places (
    order_id text, ordered_at timestamptz, day date, first_bucket integer, last_bucket integer
);
