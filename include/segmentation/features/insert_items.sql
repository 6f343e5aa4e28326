-- The lines of the bucket's orders, each with its product's category. Grain: order line.
-- Of a repeated order the lines of the day that counts are taken, since every day's file has lines of its own.
insert into bucket_items by name
select
    item.order_id,
    item.product_id,
    product.category_no,
    reported_cents(item.cents, o.currency, o.rate) as revenue_cents
from spread_rows($files, $day) as item
inner join bucket_orders as o
    on o.order_id = item.order_id and (not o.is_repeated or o.ordered_at = item.ordered_at)
left join products as product on product.product_id = item.product_id;
