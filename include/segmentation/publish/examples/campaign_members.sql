-- Whom to write to in the newest campaign
select customer_id, arm
from marts.campaign_members
where campaign_id = (select max(campaign_id) from marts.campaigns) and arm <> 'control'
order by customer_id;

-- How large are the groups of each campaign?
select campaign_id, arm, count(*) as customers
from marts.campaign_members
group by campaign_id, arm
order by campaign_id, arm;

-- Where are the members of each campaign now?
select member.campaign_id, member.arm, customer.segment_name, count(*) as customers
from marts.campaign_members as member
join marts.customer_segments as customer using (customer_id)
group by member.campaign_id, member.arm, customer.segment_name
order by member.campaign_id, member.arm, customers desc, customer.segment_name;
