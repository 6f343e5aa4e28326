-- How a buyer's spending and product views spread over categories. Grain: customer, category.
-- Interval: [$since_365, $end). periods says when, as in find_known_products.sql. Rows where both shares are 0 are left out; lines and views without category count
-- in the denominators only.
with
-- one row per customer and category: net revenue in cents
spent as (
    select customer_no, category_no, greatest(sum(net_cents), 0) as cents, bit_or(periods) as periods
    from known_products
    group by customer_no, category_no
),
-- one row per customer and category: product views
viewed as (
    select customer_no, category_no, count(*) as views
    from bucket_events
    where event_type = 'product_view' and occurred_at >= $since_365 and occurred_at < $end
    group by customer_no, category_no
),
-- one row per customer and category, as shares of the customer's whole
spent_share as (
    select
        customer_no,
        category_no,
        periods,
        cast(cents as double) / nullif(cast(sum(cents) over (partition by customer_no) as double), 0) as share
    from spent
),
viewed_share as (
    select
        customer_no,
        category_no,
        views / cast(sum(views) over (partition by customer_no) as double) as share
    from viewed
),
-- one row per customer and category, of both
both_shares as (
    select
        customer_no,
        category_no,
        coalesce(spent_share.share, 0) as spend_share,
        coalesce(viewed_share.share, 0) as product_view_share,
        coalesce(spent_share.periods, 0) as periods
    from spent_share
    full join viewed_share using (customer_no, category_no)
)

select buyers.customer_id, categories.category, shares.spend_share, shares.product_view_share, shares.periods
from both_shares as shares
inner join buyers on buyers.customer_no = shares.customer_no
inner join categories on categories.category_no = shares.category_no
where shares.spend_share > 0 or shares.product_view_share > 0
order by buyers.customer_no, categories.category_no
