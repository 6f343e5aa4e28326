-- One row per segment of the newest published day, largest revenue first.
select
    profile.as_of,
    profile.segment_id,
    segments.name,
    profile.customers,
    profile.share,
    profile.revenue_28d,
    profile.revenue_share_28d,
    profile.distinctive
from marts.segment_profiles as profile
join marts.segments on segments.segment_id = profile.segment_id
where profile.as_of = (select max(as_of) from marts.customer_segments)
order by profile.revenue_28d desc nulls last, profile.segment_id
