-- One row per way that customers went (DuckDB) since the labels that the day built on, staying included.
-- -1 stands for outside: new customers come from there, customers who left the data go there.
-- Reads the views labels and base_labels (empty on the first night).
with ways as (
    select
        coalesce(previous_segment_id, -1) as from_segment_id,
        segment_id as to_segment_id,
        moved
    from labels
    union all
    select base_labels.segment_id, -1, ''
    from base_labels
    anti join labels using (customer_id)
)

select
    cast(from_segment_id as integer) as from_segment_id,
    cast(to_segment_id as integer) as to_segment_id,
    cast(count(*) as integer) as customers,
    cast(count(*) filter (moved = 'behaviour') as integer) as by_behaviour,
    cast(count(*) filter (moved = 'relabelling') as integer) as by_relabelling
from ways
group by all
order by all
