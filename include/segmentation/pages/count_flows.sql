-- One row per way that customers went between two published days: those whose label is set anew in between, with
-- the label on both days (null before = was not there). Who stayed, and who left, follows from the profiles.
-- It reads the history of those who moved only, by its index on valid_from. Parameters: first, last.
with moved as (
    select distinct customer_id
    from marts.customer_segment_history
    where valid_from > :first and valid_from <= :last
)

select earlier.segment_id as from_segment_id, later.segment_id as to_segment_id, count(*) as customers
from moved
join marts.customer_segment_history as later
    on later.customer_id = moved.customer_id
    and later.valid_from <= :last
    and (later.valid_to is null or later.valid_to > :last)
left join marts.customer_segment_history as earlier
    on earlier.customer_id = moved.customer_id
    and earlier.valid_from <= :first
    and (earlier.valid_to is null or earlier.valid_to > :first)
group by earlier.segment_id, later.segment_id
