-- Features from order lines. Grain: buyer, in order of customer_id. Interval: [$since_365, $end).
-- Not asked for a shop without lines (all null then).
with
-- one row per customer and category: products, lines, and what was spent
spent as (
    select
        customer_no, category_no, count(*) as products, sum(lines) as lines, sum(revenue_cents) as revenue_cents
    from known_products
    group by customer_no, category_no
),
-- one row per customer: how wide the choice is, and how much of the spending the first category takes
assortment as (
    select
        customer_no,
        cast(sum(spent.products) as double) as products,
        cast(sum(spent.lines) as double) as lines,
        cast(sum(spent.revenue_cents) as double) as revenue_cents,
        count(spent.category_no) as categories,
        cast(max(greatest(spent.revenue_cents, 0)) filter (where spent.category_no is not null) as double)
            / nullif(cast(sum(greatest(spent.revenue_cents, 0)) as double), 0) as top_category_share
    from spent
    group by customer_no
),
-- one row per order with a main category: whether it differs from that of the order before
step as (
    select
        customer_no,
        top_category_no <> lag(top_category_no) over (
            partition by customer_no order by ordered_at, length(order_id), order_id
        ) as switched
    from known_orders
    where ordered_at >= $since_365 and top_category_no is not null
),
-- one row per customer: how often it differs
switching as (
    select customer_no, count(*) filter (where switched) / nullif(count(switched), 0) as category_switch_share
    from step
    group by customer_no
),
-- one row per customer: orders with lines
basket as (
    select customer_no, count(*) as orders
    from known_orders
    where ordered_at >= $since_365 and lines > 0
    group by customer_no
)

select
    buyers.customer_id,
    assortment.lines / basket.orders as items_per_order,
    assortment.revenue_cents / assortment.lines / 100 as average_item_value,
    assortment.products as distinct_products,
    assortment.categories as distinct_categories,
    assortment.top_category_share,
    1 - assortment.products / assortment.lines as repeat_product_share,
    switching.category_switch_share
from buyers
left join basket on basket.customer_no = buyers.customer_no
left join assortment on assortment.customer_no = buyers.customer_no
left join switching on switching.customer_no = buyers.customer_no
order by buyers.customer_no
