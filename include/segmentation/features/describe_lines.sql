-- Each order line with what its order says. Grain: order line of the bucket.
create or replace temp table described_lines as
with
-- one row per order, its customer by number
numbered_order as (
    select o.order_id, o.ordered_at, o.updated_at, o.status, customer.customer_no
    from bucket_orders as o
    inner join numbered_customers as customer on customer.customer_id = o.customer_id
)

select
    o.customer_no, o.ordered_at, o.updated_at, o.status, product.product_no, product.category_no, item.revenue_cents
from bucket_items as item
inner join numbered_order as o on o.order_id = item.order_id
inner join numbered_products as product on product.product_id = item.product_id;
