-- Through which channels a customer comes: visits, and events outside a visit. Grain: customer, channel.
-- Interval: [$since_365, $end). A campaign sent is not the customer's doing; a visit counts once, by its channel in
-- sessions. Not asked for a shop without events.
with
-- one row per visit, or per event outside one
contact as (
    select customer_no, channel
    from sessions
    where channel is not null
    union all
    select customer_no, channel
    from bucket_events
    where
        session_id is null and channel is not null and event_type <> 'campaign_sent'
        and occurred_at >= $since_365 and occurred_at < $end
),
-- one row per customer and channel
counted as (
    select customer_no, channel, count(*) as contacts
    from contact
    group by customer_no, channel
)

select buyers.customer_id, counted.channel, counted.contacts
from counted
inner join buyers on buyers.customer_no = counted.customer_no
order by buyers.customer_no, counted.channel
