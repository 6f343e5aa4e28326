-- Labels within the day as rows of marts.customer_segments (grain: customer), for put_current.sql, which leaves those
-- of everybody else alone. The histories stay the nights'. Needs tonight (see create_tonight.sql) and seen, one row per
-- customer of it.
-- Parameters: today, as_of, model_version (of the newest published night).

-- wanted: the rows as they are to be; since and segment before follow from the night's stay
create temporary table wanted on commit drop as
select
    tonight.customer_id,
    tonight.segment_id,
    segments.name as segment_name,
    case
        when stay.segment_id = tonight.segment_id then stay.valid_from
        -- as an earlier run within the day said
        when present.segment_id = tonight.segment_id then present.since
        else %(today)s::date
    end as since,
    case
        when stay.segment_id = tonight.segment_id then (
            select earlier.segment_id
            from marts.customer_segment_history as earlier
            where earlier.customer_id = stay.customer_id and earlier.valid_from < stay.valid_from
            order by earlier.valid_from desc
            limit 1
        )
        else stay.segment_id
    end as previous_segment_id,
    tonight.confidence,
    tonight.reasons,
    tonight.rfm_segment,
    tonight.holdout,
    %(as_of)s::date as as_of,
    %(model_version)s::text as model_version,
    liked.taste_id,
    tastes.name as taste_name,
    liked.valid_from as taste_since,
    tonight.may_contact,
    stay.customer_id is null as provisional,
    seen.as_of_time,
    'intraday' as source
from tonight
join seen on seen.customer_id = tonight.customer_id
join marts.segments on segments.segment_id = tonight.segment_id
left join marts.customer_segments as present on present.customer_id = tonight.customer_id
left join marts.customer_segment_history as stay on stay.customer_id = tonight.customer_id and stay.valid_to is null
left join marts.customer_taste_history as liked on liked.customer_id = tonight.customer_id and liked.valid_to is null
left join marts.tastes on tastes.taste_id = liked.taste_id;
