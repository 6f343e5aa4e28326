-- The keys of a bucket's events, hashed. Grain: event of a day's file with a key.
select hash(event_id) as hash from spread_rows($files, $day) where event_id is not null and occurred_at < $end
