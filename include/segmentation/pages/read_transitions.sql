-- One row per way into or out of a segment in the nights after one day and up to another; moves, not customers:
-- one who left and came back counts twice. -1 = new or gone. Parameters: first, last, segment_id.
select
    from_segment_id,
    to_segment_id,
    sum(customers) as customers,
    sum(by_behaviour) as by_behaviour,
    sum(by_relabelling) as by_relabelling
from marts.segment_transitions
where as_of > :first
    and as_of <= :last
    and compared_to is not null
    and from_segment_id <> to_segment_id
    and :segment_id in (from_segment_id, to_segment_id)
group by from_segment_id, to_segment_id
order by customers desc, from_segment_id, to_segment_id
