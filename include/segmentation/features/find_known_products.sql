-- What each customer bought, as known at $end. Grain: customer_no, product_no (a product has one category).
-- Interval: [$since_365, $end); net_cents leaves returned orders out. Bit n of periods is set if the product was bought in
-- the n-th horizon back from $end, the newest being 0 (a horizon is so many times 24 hours; 62 holds all before).
create or replace temp table known_products as
select
    customer_no,
    product_no,
    min(category_no) as category_no,
    count(*) as lines,
    sum(revenue_cents) as revenue_cents,
    coalesce(
        sum(revenue_cents) filter (where not (list_contains($returned, status) and updated_at < $end)), 0
    ) as net_cents,
    bit_or(cast(1 as bigint) << least((epoch_us($end) - epoch_us(ordered_at) - 1) // $horizon_us, 62)) as periods
from described_lines
where
    ordered_at >= $since_365
    and ordered_at < $end
    and not (list_contains($void, status) and updated_at < $end)
group by customer_no, product_no;
