-- Sums of what a campaign's members spent after the launch (y) and before it (x), in whole cents (DuckDB).
-- Grain: segment at launch and arm; segment_id -1 = the whole campaign.
-- Reads campaign_members, labels (only members still in the shop's data count), spend_after and spend_before.
with member as (
    select
        campaign_members.segment_id,
        campaign_members.arm,
        coalesce(cast(round(spend_after.spend * 100) as hugeint), 0) as y,
        coalesce(cast(round(spend_before.spend * 100) as hugeint), 0) as x
    from campaign_members
    semi join labels using (customer_id)
    left join spend_after using (customer_id)
    left join spend_before using (customer_id)
)

select
    coalesce(segment_id, -1) as segment_id,
    arm,
    count(*) as customers,
    sum(y) as y,
    sum(x) as x,
    sum(y * y) as yy,
    sum(x * x) as xx,
    sum(x * y) as xy
from member
group by grouping sets ((segment_id, arm), (arm))
order by segment_id, arm
