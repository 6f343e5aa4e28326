-- One row per customer of a segment who may be targeted: holdout left out, and who refused to be contacted.
-- A text that a spreadsheet would take for a formula gets a quote in front. Parameter: segment_id.
select
    case when customer_id ~ '^([=+@\t\r]|-[^0-9])' then '''' || customer_id else customer_id end as customer_id,
    case when segment_name ~ '^[=+@\t\r-]' then '''' || segment_name else segment_name end as segment_name,
    since,
    round(confidence::numeric, 4) as confidence,
    case when taste_name ~ '^[=+@\t\r-]' then '''' || taste_name else taste_name end as taste_name,
    as_of
from marts.customer_segments
where segment_id = %(segment_id)s and not holdout and may_contact is not false
order by customer_id
