-- Make marts.customer_segments (grain: customer) tonight's labels; the day is the newest published one.
-- Rows are deleted here, and updated or inserted by put_current.sql, inside the transaction: a reader sees last night's
-- table until it ends.
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
