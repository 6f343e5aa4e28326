-- Through which channels a customer comes: visits, and events outside a visit. Grain: customer, channel.
-- Interval: [$since_365, $end). A campaign sent is not the customer's doing; a visit counts once, by its channel in
-- sessions. Not asked for a shop without events.
with
-- one row per visit, or per event outside one
contact as (
    select customer_id, channel
    from sessions
    where channel is not null
    union all
    select customer_id, channel
    from bucket_events
    where
        session_id is null and channel is not null and event_type <> 'campaign_sent'
        and occurred_at >= $since_365 and occurred_at < $end
)

select customer_id, channel, count(*) as contacts
from contact
where customer_id in (select customer_id from buyers)
group by customer_id, channel
order by customer_id, channel
