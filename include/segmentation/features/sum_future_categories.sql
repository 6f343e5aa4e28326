-- What the buyers of a cut-off spent on each category in the horizon after it. Grain: customer, category.
-- Interval: [$start, $end); returned orders and lines without category are left out.
with
-- one row per customer and category, by number
spent as (
    select customer_no, category_no, sum(revenue_cents) as cents
    from described_lines
    where
        ordered_at >= $start
        and ordered_at < $end
        and not (list_contains($void, status) and updated_at < $end)
        and not (list_contains($returned, status) and updated_at < $end)
        and category_no is not null
    group by customer_no, category_no
    having sum(revenue_cents) > 0
)

select buyers.customer_id, categories.category, cast(spent.cents as double) / 100 as spend
from spent
inner join buyers on buyers.customer_no = spent.customer_no
inner join categories on categories.category_no = spent.category_no
order by buyers.customer_no, categories.category_no
