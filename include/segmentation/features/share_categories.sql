-- How a buyer's spending and product views spread over categories. Grain: customer, category.
-- Interval: [$since_365, $end). periods says when, as in find_known_products.sql. Rows where both shares are 0 are left out; lines and views without category count
-- in the denominators only.
with
-- one row per category
named as (
    select distinct category_no, category from numbered_products
),
-- one row per customer and category, by number: net revenue in cents
spent_no as (
    select customer_no, category_no, greatest(sum(net_cents), 0) as cents, bit_or(periods) as periods
    from known_products
    group by customer_no, category_no
),
-- the same with names
spent as (
    select customer.customer_id, named.category, spent_no.cents, spent_no.periods
    from spent_no
    inner join numbered_customers as customer on customer.customer_no = spent_no.customer_no
    left join named on named.category_no = spent_no.category_no
),
-- one row per customer and category: product views
viewed as (
    select customer_id, category, count(*) as views
    from bucket_events
    where event_type = 'product_view' and occurred_at >= $since_365 and occurred_at < $end
    group by customer_id, category
),
-- one row per customer and category, as shares of the customer's whole
spent_share as (
    select
        customer_id,
        category,
        periods,
        cast(cents as double) / nullif(cast(sum(cents) over (partition by customer_id) as double), 0) as share
    from spent
),
viewed_share as (
    select
        customer_id,
        category,
        views / cast(sum(views) over (partition by customer_id) as double) as share
    from viewed
)

select
    customer_id,
    category,
    coalesce(spent_share.share, 0) as spend_share,
    coalesce(viewed_share.share, 0) as product_view_share,
    coalesce(spent_share.periods, 0) as periods
from spent_share
full join viewed_share using (customer_id, category)
where
    category is not null
    and (coalesce(spent_share.share, 0) > 0 or coalesce(viewed_share.share, 0) > 0)
    and customer_id in (select customer_id from buyers)
order by customer_id, category
