-- Every order of a month, ready to be spread over buckets; those without a customer go to bucket -1, since they can be
-- what became of somebody's order. Grain: order of a day's file. Keys: order_id, customer_id as text.
-- Amounts are whole cents of the order's currency, so that sums are exact and do not depend on the order of rows.
select
    cast(order_id as text) as order_id,
    cast(customer_id as text) as customer_id,
    ordered_at,
    updated_at,
    lower(status) as status,
    currency,
    cast(round(total_amount * 100) as bigint) as total_cents,
    cast(round(coalesce(discount_amount, 0) * 100) as bigint) as discount_cents,
    coalesce(coupon_code, '') <> '' as has_coupon,
    lake_day(filename) as day,
    customer_bucket(customer_id, $buckets) as bucket
from read_parquet($orders, hive_partitioning = false, filename = true)
