-- One row per segment (DuckDB): size, money and habits as of the day's end; and one with segment_id null for all
-- customers with an order, to compare with. Sums are of whole cents and whole millionths, so they do not depend on the
-- order of rows.
-- Reads the views labels, static (customers with an order) and outlook (empty without a model).
with customer as (
    select
        labels.segment_id,
        static.customer_id is not null as ordered,
        static.recency_days,
        static.gap_days_mean,
        coalesce(cast(round(static.monetary_28d * 100) as bigint), 0) as cents_28d,
        coalesce(cast(round(static.frequency_28d) as bigint), 0) as orders_28d,
        coalesce(cast(round(static.monetary_365d * 100) as bigint), 0) as cents_365d,
        coalesce(cast(round(static.frequency_365d) as bigint), 0) as orders_365d,
        -- what the goods would have cost: the discount share is discount / (paid + discount)
        case
            when static.discount_share < 1 then cast(round(static.monetary_365d * 100 / (1 - static.discount_share)) as bigint)
        end as undiscounted_cents_365d,
        cast(round(static.returns_share * static.frequency_365d) as bigint) as returned_orders_365d,
        cast(round(static.campaign_order_share * static.frequency_365d) as bigint) as campaign_orders_365d,
        static.campaigns_sent_365d > 0 or static.coupons_redeemed_365d > 0 or static.campaign_order_share > 0 as reached,
        cast(round(static.sessions_28d) as bigint) as sessions_28d,
        cast(round(outlook.expected_spend * 1000000) as bigint) as expected_spend_millionths,
        cast(round(outlook.churn_probability * 1000000) as bigint) as churn_millionths
    from labels
    left join static using (customer_id)
    left join outlook using (customer_id)
),

-- each customer in the segment's row, each with an order in the shop's
described as (
    select * from customer
    union all by name
    select * replace (null::integer as segment_id) from customer where ordered
)

select
    segment_id,
    cast(count(*) as bigint) as customers,
    cast(sum(cents_28d) as bigint) as cents_28d,
    cast(sum(orders_28d) as bigint) as orders_28d,
    cast(sum(cents_365d) as bigint) as cents_365d,
    cast(sum(orders_365d) as bigint) as orders_365d,
    median(recency_days) as recency_days_median,
    median(gap_days_mean) as days_between_orders_median,
    cast(sum(undiscounted_cents_365d) as bigint) as undiscounted_cents_365d,
    cast(sum(cents_365d) filter (undiscounted_cents_365d is not null) as bigint) as discounted_cents_365d,
    cast(sum(returned_orders_365d) as bigint) as returned_orders_365d,
    cast(sum(orders_365d) filter (returned_orders_365d is not null) as bigint) as returnable_orders_365d,
    cast(sum(campaign_orders_365d) as bigint) as campaign_orders_365d,
    cast(sum(orders_365d) filter (campaign_orders_365d is not null) as bigint) as respondable_orders_365d,
    cast(count(campaign_orders_365d) as bigint) as respondable_customers,
    coalesce(bool_or(reached), false) as reached,
    cast(sum(sessions_28d) as bigint) as sessions_28d,
    cast(sum(expected_spend_millionths) as bigint) as expected_spend_millionths,
    cast(sum(churn_millionths) as bigint) as churn_millionths,
    cast(count(expected_spend_millionths) as bigint) as foreseen_customers
from described
group by segment_id
order by segment_id nulls last
