-- What a destination is to be told. Grain: campaign, customer; only customers whose state there has to change, or whose
-- change it has not confirmed. In order of event (left
-- first), batch_key, campaign, customer.
-- Parameters: destination, campaign_id (null = all), require_consent.
-- batch_key is that of an unconfirmed batch that is to go again exactly as it was; null = into a new batch.

-- one row: the first day that the labels, of the end of as_of, can be acted on
with night as (
    select max(as_of) as as_of, max(as_of) + 1 as sending_day
    from marts.customer_segments
),

-- campaign, customer: who may be written to by a campaign that runs
allowed as (
    select
        member.campaign_id,
        member.customer_id,
        case member.arm when 'treated' then campaign.action else member.arm end as action
    from marts.campaign_members as member
    inner join marts.campaigns as campaign on member.campaign_id = campaign.campaign_id
    inner join night on night.sending_day between campaign.launched_on and campaign.ends_on
    inner join marts.customer_segments as customer on member.customer_id = customer.customer_id
    where
        member.arm <> 'control'
        and not customer.holdout
        and (customer.may_contact or (customer.may_contact is null and not :require_consent))
        and (cast(:campaign_id as integer) is null or member.campaign_id = :campaign_id)
),

-- campaign, customer: the newest that the destination was, or may have been, told
told as (
    select distinct on (campaign_id, customer_id)
        campaign_id, customer_id, number, event, action, batch_key, as_of, sent_at
    from ops.activation_log
    where
        destination = :destination
        and (cast(:campaign_id as integer) is null or campaign_id = :campaign_id)
    order by campaign_id asc, customer_id asc, number desc
),

-- campaign, customer: the number and event it should be at
wanted as (
    select
        campaign_id,
        customer_id,
        coalesce(told.action, allowed.action) as action,
        case when allowed.customer_id is null then 'left' else 'joined' end as event,
        told.event as told_event,
        coalesce(told.number, 0) as told_number,
        told.batch_key,
        told.as_of,
        told.sent_at
    from allowed
    full join told using (campaign_id, customer_id)
),

-- campaign, customer: a new event, or the same one again because it was not confirmed
change as (
    select
        campaign_id,
        customer_id,
        action,
        event,
        case when event = told_event then told_number else told_number + 1 end as number,
        case when event = told_event then batch_key end as old_key,
        case when event = told_event then as_of end as old_as_of
    from wanted
    where event is distinct from told_event or sent_at is null
),

-- batch: how many customers it had when it was first tried
unconfirmed as (
    select batch_key, count(*) as customers
    from ops.activation_log
    where destination = :destination and sent_at is null
    group by batch_key
),

-- campaign, customer: a batch that lost a customer since (who withdrew consent, say) is made anew
placed as (
    select
        change.*,
        count(*) over (partition by change.old_key) = unconfirmed.customers as whole
    from change
    left join unconfirmed on change.old_key = unconfirmed.batch_key
)

select
    placed.campaign_id,
    coalesce(campaign.name, '') as campaign,
    placed.customer_id,
    placed.action,
    placed.event,
    placed.number,
    case when placed.whole then placed.old_key end as batch_key,
    case when placed.whole then placed.old_as_of else night.as_of end as as_of
from placed
cross join night
left join marts.campaigns as campaign on placed.campaign_id = campaign.campaign_id
-- without any labels nothing is known of consent, nor of who is gone
where night.as_of is not null
order by placed.event desc, batch_key nulls last, placed.campaign_id, placed.customer_id collate "C"
