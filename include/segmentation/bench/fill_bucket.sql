-- One bucket of the synthetic night's features (DuckDB). Reads customer, see fill_night.sql. Filled in by name: bucket, folder.
copy (
    select
        customer_id,
        round(100 * draw) as recency_days,
        7 + round(20 * draw) as gap_days_mean,
        round(100 * draw, 2) as monetary_28d,
        round(1000 * draw + 10, 2) as monetary_365d,
        round(4 * draw) as frequency_28d,
        1 + round(40 * draw) as frequency_365d,
        round(draw / 4, 4) as discount_share,
        round(draw / 20, 4) as returns_share,
        round(9 * draw) as sessions_28d,
        round(draw / 3, 4) as campaign_order_share,
        20.0 as campaigns_sent_365d,
        round(3 * draw) as coupons_redeemed_365d
    from customer where bucket = {bucket} order by customer_id
) to '{folder}/static.parquet' (format parquet);

copy (
    select customer_id, 'category ' || cast((hash(customer_id) + n) % 19 as varchar) as category,
        0.125 as spend_share, 0.125 as product_view_share
    from customer, range(8) as bought (n) where bucket = {bucket} order by customer_id, category
) to '{folder}/categories.parquet' (format parquet);

copy (
    select customer_id, channel, 10 as contacts
    from customer, (values ('app'), ('web'), ('email')) as channels (channel) where bucket = {bucket}
    order by customer_id, channel
) to '{folder}/channels.parquet' (format parquet);

copy (
    select customer_id, 'product-' || cast(product as varchar) as product_id,
        'category ' || cast(product % 19 as varchar) as category, cast(1 + n as integer) as lines,
        cast(1 + (n % 4) * 2 as bigint) as periods
    from (
        select customer_id, n, (hash(customer_id) % 20000 + 7919 * n) % 20000 as product
        from customer, range(20) as products (n) where bucket = {bucket}
    )
    order by customer_id, product_id
) to '{folder}/products.parquet' (format parquet);
