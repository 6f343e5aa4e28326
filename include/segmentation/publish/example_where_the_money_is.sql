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
order by profile.revenue_28d desc
