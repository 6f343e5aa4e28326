-- One row per segment and product (DuckDB), segment -1 standing for the whole shop: of the 28-day periods in which
-- customers bought from the product's category, the share in which they bought the product.
-- A segment with fewer than minimum_group buyers of a product has no row, nor has a product of a category without interests.
-- Reads bought (see count_bought.sql) and the views interests and assortment. Parameter: minimum_group.
with counted as (
    select segment_id, level, item, category, sum(buyers) as buyers, sum(periods) as periods
    from bought
    where category in (select distinct category from interests)
    group by all
    union all
    select -1, level, item, category, sum(buyers), sum(periods)
    from bought
    where category in (select distinct category from interests)
    group by level, item, category
)

select
    product.segment_id,
    product.item as product_id,
    product.category,
    assortment.description,
    cast(product.buyers as integer) as buyers,
    round(product.periods / whole.periods, 6) as share
from counted as product
inner join counted as whole
    on whole.level = 'category' and whole.segment_id = product.segment_id and whole.item = product.category
left join assortment on assortment.product_id = product.item
where product.level = 'product' and product.buyers >= $minimum_group
order by product_id, segment_id
