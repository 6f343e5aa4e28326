-- How should the next campaign be split?
select campaign_id, arm, share_now, round(share_next::numeric, 2) as share_next
from marts.campaign_allocation
where as_of = (select max(as_of) from marts.customer_segments)
order by campaign_id, arm;

-- Which action is probably the best?
select campaign_id, arm, mean_spend, round(chance_best::numeric, 2) as chance_best
from marts.campaign_allocation
where as_of = (select max(as_of) from marts.customer_segments)
order by campaign_id, chance_best desc nulls last, arm;

-- How did the proposal change from night to night?
select as_of, campaign_id, arm, share_next
from marts.campaign_allocation
order by campaign_id, arm, as_of;
