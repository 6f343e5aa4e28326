-- Grain: campaign that runs. How many of its customers must not be written to now, because consent is missing or
-- withdrawn, they are held out, or they are gone from the shop.
-- Parameters: campaign_id (null = all), require_consent.
select
    member.campaign_id,
    campaign.name as campaign,
    count(*) filter (
        where customer.customer_id is null
        or customer.holdout
        or customer.may_contact is false
        or (customer.may_contact is null and :require_consent)
    ) as withheld
from marts.campaigns as campaign
inner join marts.campaign_members as member on campaign.campaign_id = member.campaign_id
left join marts.customer_segments as customer on member.customer_id = customer.customer_id
where
    member.arm <> 'control'
    and (select max(as_of) + 1 from marts.customer_segments) between campaign.launched_on and campaign.ends_on
    and (cast(:campaign_id as integer) is null or campaign.campaign_id = :campaign_id)
group by member.campaign_id, campaign.name
order by member.campaign_id
