-- Put the customers of tonight who have no row into marts.customer_segments (grain: customer) as provisional, in place
-- of those that an earlier hold of the night put there. Needs tonight (see create_tonight.sql) and the segments of as_of.
-- Parameters: day (the held one), as_of, model_version (of the newest published night).
create temporary table provisional_before on commit drop as
select customer_id, since from marts.customer_segments where provisional and source = 'night';

-- who came within the day has a label that knows more
delete from marts.customer_segments where provisional and source = 'night';

insert into marts.customer_segments (
    customer_id, segment_id, segment_name, since, confidence, reasons, rfm_segment, holdout, as_of, model_version,
    may_contact, provisional
)
select
    tonight.customer_id,
    tonight.segment_id,
    segments.name,
    coalesce(provisional_before.since, %(day)s::date),
    tonight.confidence,
    tonight.reasons,
    tonight.rfm_segment,
    tonight.holdout,
    %(as_of)s::date,
    %(model_version)s,
    tonight.may_contact,
    true
from tonight
join marts.segments on segments.segment_id = tonight.segment_id
left join provisional_before on provisional_before.customer_id = tonight.customer_id
where not exists (select from marts.customer_segments as present where present.customer_id = tonight.customer_id)
order by tonight.customer_id;
