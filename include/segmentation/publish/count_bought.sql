-- Adds one bucket's customers to the table bought (DuckDB): who bought what in the last 365 days, counted.
-- Grain of bought: bucket, segment_id, taste_id, level, item; periods adds up the customers' 28-day periods with a purchase.
-- Reads the view labels and the bucket's file, one row per customer and product. Parameter: file.
insert into bought
with labelled as (
    select labels.segment_id, labels.taste_id, products.*
    from read_parquet($file, hive_partitioning = false) as products
    inner join labels using (customer_id)
),

-- one row per customer and category
by_category as (
    select segment_id, taste_id, customer_id, category, bit_or(periods) as periods
    from labelled
    where category is not null
    group by all
)

select
    segment_id, taste_id, 'product' as level, product_id as item, min(category) as category, count(*) as buyers,
    sum(bit_count(periods)) as periods
from labelled
group by segment_id, taste_id, product_id
union all
select segment_id, taste_id, 'category', category, category, count(*), sum(bit_count(periods))
from by_category
group by segment_id, taste_id, category
