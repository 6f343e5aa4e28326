-- One row per campaign and segment: what was measured up to a day, newest campaign first. Parameter: day.
select results.*, campaigns.name, campaigns.action, campaigns.launched_on, campaigns.ends_on
from marts.campaign_results as results
join marts.campaigns using (campaign_id)
where results.as_of = :day
order by campaigns.launched_on desc, results.campaign_id, results.segment_id
