-- When the first event of a known customer happened. Grain: one row. Interval: days up to $day, before $end.
select min(occurred_at) from spread_rows($events, $day) where occurred_at < $end
