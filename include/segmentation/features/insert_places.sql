-- In which bucket the lines of a month's orders are. Grain: order of a day's file.
insert into order_places
select
    cast(order_id as text),
    ordered_at,
    lake_day(filename) as day,
    min(customer_bucket(customer_id, $buckets)),
    max(customer_bucket(customer_id, $buckets))
from read_parquet($orders, hive_partitioning = false, filename = true)
where order_id is not null
group by all
