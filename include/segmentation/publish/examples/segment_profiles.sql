-- Where is the money, and where will it be?
select segments.name,
       profile.customers,
       round(100 * profile.share::numeric, 1) as percent_of_customers,
       round(100 * profile.revenue_share_28d::numeric, 1) as percent_of_revenue,
       profile.average_order_value,
       round(profile.expected_spend_28d::numeric, 2) as expected_spend_28d,
       round(100 * profile.expected_churn_28d::numeric, 1) as percent_expected_to_stay_away
from marts.segment_profiles as profile
join marts.segments using (segment_id)
where profile.as_of = (select max(as_of) from marts.customer_segments)
order by profile.revenue_28d desc nulls last;

-- How does each segment differ from the shop? 1.25 = a quarter more than the customers of the shop
select segments.name, versus.key as figure, round(versus.value::numeric, 2) as times_the_shop
from marts.segment_profiles as profile
join marts.segments using (segment_id)
cross join jsonb_each_text(profile.versus_shop) as versus
where profile.as_of = (select max(as_of) from marts.customer_segments)
order by segments.name, abs(ln(greatest(versus.value::numeric, 0.001))) desc, figure;

-- How have size and revenue of each segment gone, night by night?
select segments.name, profile.as_of, profile.customers, profile.revenue_28d
from marts.segment_profiles as profile
join marts.segments using (segment_id)
order by segments.name, profile.as_of;
