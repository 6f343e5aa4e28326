-- Make marts.customer_segments (grain: customer) tonight's labels; the day is the newest published one.
-- Rows are deleted, updated or inserted inside the transaction: a reader sees last night's table until it ends.
-- Needs tonight, changed, the rewritten histories and the rewritten marts.segments and marts.tastes.
-- Parameters: day, model_version.

-- wanted: the table as it is to be
create temporary table wanted on commit drop as
select
    tonight.customer_id,
    tonight.segment_id,
    segments.name as segment_name,
    stay.valid_from as since,
    -- the stay before can only have changed for those whose stay changed
    case
        when last_night.customer_id is not null and changed.customer_id is null then last_night.previous_segment_id
        else (
            select earlier.segment_id
            from marts.customer_segment_history as earlier
            where earlier.customer_id = tonight.customer_id and earlier.valid_from < stay.valid_from
            order by earlier.valid_from desc
            limit 1
        )
    end as previous_segment_id,
    tonight.confidence,
    tonight.reasons,
    tonight.rfm_segment,
    tonight.holdout,
    %(day)s::date as as_of,
    %(model_version)s::text as model_version,
    tonight.taste_id,
    tastes.name as taste_name,
    liked.valid_from as taste_since,
    tonight.may_contact,
    false as provisional,
    null::timestamptz as as_of_time,
    'night' as source
from tonight
join marts.customer_segment_history as stay on stay.customer_id = tonight.customer_id and stay.valid_to is null
join marts.segments on segments.segment_id = tonight.segment_id
left join marts.customer_taste_history as liked on liked.customer_id = tonight.customer_id and liked.valid_to is null
left join marts.tastes on tastes.taste_id = tonight.taste_id
left join changed on changed.customer_id = tonight.customer_id
left join marts.customer_segments as last_night on last_night.customer_id = tonight.customer_id;

analyze wanted;

delete from marts.customer_segments as present
where not exists (select from wanted where wanted.customer_id = present.customer_id);

-- publications take turns, so no row can appear between the update and the insert
update marts.customer_segments as present
set
    segment_id = wanted.segment_id,
    segment_name = wanted.segment_name,
    since = wanted.since,
    previous_segment_id = wanted.previous_segment_id,
    confidence = wanted.confidence,
    reasons = wanted.reasons,
    rfm_segment = wanted.rfm_segment,
    holdout = wanted.holdout,
    as_of = wanted.as_of,
    model_version = wanted.model_version,
    taste_id = wanted.taste_id,
    taste_name = wanted.taste_name,
    taste_since = wanted.taste_since,
    may_contact = wanted.may_contact,
    provisional = wanted.provisional,
    as_of_time = wanted.as_of_time,
    source = wanted.source
from wanted
where present.customer_id = wanted.customer_id and row(present.*) is distinct from row(wanted.*);

insert into marts.customer_segments (
    customer_id, segment_id, segment_name, since, previous_segment_id, confidence, reasons, rfm_segment, holdout,
    as_of, model_version, taste_id, taste_name, taste_since, may_contact, provisional,
    as_of_time, source
)
select
    customer_id, segment_id, segment_name, since, previous_segment_id, confidence, reasons, rfm_segment, holdout,
    as_of, model_version, taste_id, taste_name, taste_since, may_contact, provisional,
    as_of_time, source
from wanted
where not exists (select from marts.customer_segments as present where present.customer_id = wanted.customer_id)
order by customer_id;
