-- One synthetic night of a shop (DuckDB), as the steps before publish leave it in the lake. Grain: see each file.
-- Filled in by name: customers, buckets, moved (share who change segment), night (number), labels, outlook (paths).
create or replace temp table customer as
select
    'customer-' || number as customer_id,
    number % {buckets} as bucket,
    cast(1 + (number + case when hash(number, {night}) % 10000 < 10000 * {moved} then 1 else 0 end) % 8 as integer) as segment_id,
    cast(1 + number % 7 as integer) as taste_id,
    1 + number % 8 as home,
    (hash(number) % 1000) / 1000 as draw
from range({customers}) as numbers (number);

copy (
    select
        customer_id,
        segment_id,
        round(0.5 + draw / 2, 4) as confidence,
        ['buys often', 'few discounts', 'visits on weekends'] as reasons,
        'Champions' as rfm_segment,
        cast(home as integer) as previous_segment_id,
        case when segment_id = home then '' else 'behaviour' end as moved,
        taste_id,
        [cast(segment_id + draw as float), cast(draw as float), cast(taste_id as float)] as position
    from customer
    order by customer_id
) to '{labels}' (format parquet);

copy (
    select
        customer_id,
        false as held_out,
        round(100 * draw, 2) as expected_spend,
        round(3 * draw, 3) as expected_orders,
        round(1 - draw, 4) as churn_probability
    from customer
    order by customer_id
) to '{outlook}/outlook.parquet' (format parquet);

copy (
    select customer_id, 'category ' || cast((hash(customer_id) + n) % 19 as varchar) as category,
        round(0.05 + draw / 2, 4) as likelihood, round(1 + draw, 4) as lift, cast(n % 14 as smallint) as bought_periods
    from customer, range(6) as interests (n)
    order by customer_id, category
) to '{outlook}/interests.parquet' (format parquet);
