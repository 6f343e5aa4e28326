-- One row per segment and channel (DuckDB): share of the segment's contacts (visits, and events outside a visit) of the
-- last 365 days, largest first within a segment. Channels that few customers use are left out; they count in the whole.
-- Reads the views labels and channels. Parameters: minimum_customers, top.
with by_channel as (
    select
        labels.segment_id,
        channels.channel,
        count(*) as customers,
        cast(sum(channels.contacts) as bigint) as contacts
    from channels
    join labels using (customer_id)
    group by labels.segment_id, channels.channel
),

shares as (
    select
        segment_id,
        channel,
        customers,
        contacts / sum(contacts) over (partition by segment_id) as share
    from by_channel
)

select segment_id, channel, round(share, 4) as share
from shares
where customers >= $minimum_customers
qualify row_number() over (partition by segment_id order by share desc, channel) <= $top
order by segment_id, share desc, channel
