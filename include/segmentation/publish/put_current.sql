-- Update the rows of marts.customer_segments (grain: customer) that are to be others, and insert those that are missing.
-- Needs wanted: rows as they are to be, columns in the table's order (see replace_current.sql).

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
    as_of, model_version, taste_id, taste_name, taste_since, may_contact, provisional, as_of_time, source
)
select
    customer_id, segment_id, segment_name, since, previous_segment_id, confidence, reasons, rfm_segment, holdout,
    as_of, model_version, taste_id, taste_name, taste_since, may_contact, provisional, as_of_time, source
from wanted
where not exists (select from marts.customer_segments as present where present.customer_id = wanted.customer_id)
order by customer_id;
