-- Put labels within the day into marts.customer_segments (grain: customer), beside the night's of everybody else. The
-- histories stay the nights'. Needs tonight (see create_tonight.sql) and seen, one row per customer of it.
-- Parameters: today, as_of, model_version (of the newest published night).

-- labelled: the rows as they are to be; since and segment before follow from the night's stay
create temporary table labelled on commit drop as
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

update marts.customer_segments as present
set
    segment_id = labelled.segment_id,
    segment_name = labelled.segment_name,
    since = labelled.since,
    previous_segment_id = labelled.previous_segment_id,
    confidence = labelled.confidence,
    reasons = labelled.reasons,
    rfm_segment = labelled.rfm_segment,
    holdout = labelled.holdout,
    as_of = labelled.as_of,
    model_version = labelled.model_version,
    taste_id = labelled.taste_id,
    taste_name = labelled.taste_name,
    taste_since = labelled.taste_since,
    may_contact = labelled.may_contact,
    provisional = labelled.provisional,
    as_of_time = labelled.as_of_time,
    source = labelled.source
from labelled
where present.customer_id = labelled.customer_id and row(present.*) is distinct from row(labelled.*);

insert into marts.customer_segments (
    customer_id, segment_id, segment_name, since, previous_segment_id, confidence, reasons, rfm_segment, holdout,
    as_of, model_version, taste_id, taste_name, taste_since, may_contact, provisional, as_of_time, source
)
select
    customer_id, segment_id, segment_name, since, previous_segment_id, confidence, reasons, rfm_segment, holdout,
    as_of, model_version, taste_id, taste_name, taste_since, may_contact, provisional, as_of_time, source
from labelled
where not exists (select from marts.customer_segments as present where present.customer_id = labelled.customer_id)
order by customer_id;
