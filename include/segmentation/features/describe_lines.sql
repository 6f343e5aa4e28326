-- Each order line with what its order says. Grain: order line of the bucket.
create or replace temp table described_lines as
select
    o.customer_no, o.ordered_at, o.updated_at, o.status, product.product_no, product.category_no, item.revenue_cents
from bucket_items as item
inner join bucket_orders as o on o.order_id = item.order_id
inner join numbered_products as product on product.product_id = item.product_id;
