-- Grain: campaign, customer. What a destination was, or may have been, told of customers, with the number and day of an
-- event after that.
-- Parameters: destination, customers (text[]).
select distinct on (sent.campaign_id, sent.customer_id)
    sent.campaign_id,
    coalesce(campaign.name, '') as campaign,
    -- one day for a campaign, so that its customers are one batch
    max(sent.as_of) over (partition by sent.campaign_id) as as_of,
    sent.customer_id,
    sent.action,
    sent.number + 1 as number
from ops.activation_log as sent
left join marts.campaigns as campaign on sent.campaign_id = campaign.campaign_id
where sent.destination = :destination and sent.customer_id = any(cast(:customers as text[]))
order by sent.campaign_id, sent.customer_id, sent.number desc
