-- Why did each segment's revenue change since the night before?
select segments.name,
       bridge.revenue_28d_before,
       bridge.by_customers,
       bridge.by_frequency,
       bridge.by_basket,
       bridge.revenue_28d_after
from marts.segment_revenue_bridge as bridge
join marts.segments using (segment_id)
where bridge.as_of = (select max(as_of) from marts.customer_segments)
order by abs(bridge.revenue_28d_after - bridge.revenue_28d_before) desc, segments.name;

-- Why did the shop's revenue of 28 days change, night by night? Moves between segments count as customers
select as_of,
       sum(revenue_28d_after - revenue_28d_before) as change,
       sum(by_customers) as by_customers,
       sum(by_frequency) as by_frequency,
       sum(by_basket) as by_basket
from marts.segment_revenue_bridge
group by as_of
order by as_of;

-- What has moved each segment's revenue in the last 28 nights?
select segments.name,
       sum(bridge.by_customers) as by_customers,
       sum(bridge.by_frequency) as by_frequency,
       sum(bridge.by_basket) as by_basket
from marts.segment_revenue_bridge as bridge
join marts.segments using (segment_id)
where bridge.as_of > (select max(as_of) - 28 from marts.customer_segments)
group by segments.name
order by segments.name;
