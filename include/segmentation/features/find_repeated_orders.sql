-- Orders that are in the files of more than one day (moved to another day, or loaded twice), and which of them counts:
-- the one changed last, then the latest. A day's file holds an order once, so ordered_at tells them apart.
-- Grain: repeated order; as a rule there is none. Interval: days up to $day, ordered_at before $end.
with
-- one row per order of several days
repeated as (
    select order_id
    from spread_rows($orders, $day)
    where ordered_at < $end
    group by order_id
    having count(*) > 1
)

select order_id, ordered_at
from spread_rows($orders, $day)
where ordered_at < $end and order_id in (select order_id from repeated)
qualify row_number() over (partition by order_id order by updated_at desc nulls last, ordered_at desc) = 1
