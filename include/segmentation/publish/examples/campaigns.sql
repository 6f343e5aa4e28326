-- Which campaigns run now?
select campaign_id, name, action, launched_on, ends_on
from marts.campaigns
where ends_on >= (select max(as_of) from marts.customer_segments)
order by launched_on, campaign_id;

-- At which segments is each campaign aimed?
select campaign.campaign_id, campaign.name, segments.name as segment
from marts.campaigns as campaign
join marts.segments on segments.segment_id = any (campaign.segment_ids)
order by campaign.campaign_id, segment;

-- Which campaigns were ended early?
select campaign_id, name, planned_end, ends_on
from marts.campaigns
where ends_on < planned_end
order by campaign_id;
