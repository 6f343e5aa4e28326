-- What each customer bought, by the shop's keys. Grain: customer, product, in order of both.
-- Interval and columns as in find_known_products.sql.
select
    customer.customer_id,
    product.product_id,
    categories.category,
    cast(known_products.lines as integer) as lines,
    known_products.periods
from known_products
inner join numbered_customers as customer on customer.customer_no = known_products.customer_no
inner join numbered_products as product on product.product_no = known_products.product_no
left join categories on categories.category_no = product.category_no
order by customer.customer_no, product.product_no
