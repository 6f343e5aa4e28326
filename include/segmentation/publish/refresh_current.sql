-- After an older day was published: since, previous_segment_id and taste_since of marts.customer_segments follow the
-- histories. Needs changed, changed_tastes and the rewritten histories: nobody else's stays can have changed.
with dates as (
    select
        changed.customer_id,
        stay.segment_id,
        stay.valid_from as since,
        (
            select earlier.segment_id
            from marts.customer_segment_history as earlier
            where earlier.customer_id = changed.customer_id and earlier.valid_from < stay.valid_from
            order by earlier.valid_from desc
            limit 1
        ) as previous_segment_id
    from changed
    join marts.customer_segment_history as stay on stay.customer_id = changed.customer_id and stay.valid_to is null
)

update marts.customer_segments as present
set since = dates.since, previous_segment_id = dates.previous_segment_id
from dates
where present.customer_id = dates.customer_id
    -- one within the day has dates of its own
    and present.segment_id = dates.segment_id
    and (present.since, present.previous_segment_id) is distinct from (dates.since, dates.previous_segment_id);

update marts.customer_segments as present
set taste_since = stay.valid_from
from changed_tastes
join marts.customer_taste_history as stay on stay.customer_id = changed_tastes.customer_id and stay.valid_to is null
where present.customer_id = changed_tastes.customer_id and present.taste_since is distinct from stay.valid_from;
