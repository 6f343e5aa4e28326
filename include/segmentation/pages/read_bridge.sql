-- One row per segment: why its revenue changed between two days; nights may be summed. Parameters: first, last.
select
    segment_id,
    sum(revenue_28d_after - revenue_28d_before) as change,
    sum(by_customers) as by_customers,
    sum(by_frequency) as by_frequency,
    sum(by_basket) as by_basket
from marts.segment_revenue_bridge
where as_of > :first and as_of <= :last
group by segment_id
