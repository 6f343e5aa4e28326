-- Grain: segment. Sums over its customers (DuckDB), to which one customer adds at most one, $orders_bound and
-- $cents_bound: whoever has more counts for that much, a negative sum (returns) for nothing.
-- Reads the views labels and static (customers with an order).

-- one row per customer, whatever the files hold
with customer as (
    select
        labels.customer_id,
        min(labels.segment_id) as segment_id,
        coalesce(max(cast(round(static.frequency_28d) as bigint)), 0) as orders,
        coalesce(max(cast(round(static.monetary_28d * 100) as bigint)), 0) as cents
    from labels
    left join static using (customer_id)
    group by labels.customer_id
)

select
    segment_id,
    cast(count(*) as bigint) as customers,
    cast(sum(least(greatest(orders, 0), $orders_bound)) as bigint) as orders,
    cast(sum(least(greatest(cents, 0), $cents_bound)) as bigint) as cents
from customer
group by segment_id
