-- What has each campaign brought so far?
select campaign.name, result.arm, result.uplift, result.uplift_low, result.uplift_high, result.evidence, result.message
from marts.campaign_results as result
join marts.campaigns as campaign using (campaign_id)
where result.segment_id = -1 and result.as_of = (select max(as_of) from marts.customer_segments)
order by campaign.name, result.arm;

-- In which segments did it work?
select campaign.name, segments.name as segment, result.uplift, result.uplift_low, result.uplift_high, result.evidence
from marts.campaign_results as result
join marts.campaigns as campaign using (campaign_id)
join marts.segments on segments.segment_id = result.segment_id
where result.as_of = (select max(as_of) from marts.customer_segments)
order by campaign.name, segment, result.arm;

-- How did the interval of a campaign narrow, night by night?
select as_of, campaign_id, arm, uplift, uplift_low, uplift_high
from marts.campaign_results
where segment_id = -1
order by campaign_id, arm, as_of;
