-- Whether any of the orders has a line. Grain: one row. Interval: days up to $day, the order's ordered_at before $end.
select exists(
    select 1
    from spread_rows($items, $day) as item
    inner join counted_orders($orders, $day, $end) as o
        on o.order_id = item.order_id and (not o.is_repeated or o.ordered_at = item.ordered_at)
)
