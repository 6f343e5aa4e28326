-- Grain: quarter of an hour, in which every timezone's days begin and end; the caller adds them up to business days
-- (a fraction of what a conversion of each row to local time costs). What tells whether a day's events changed.
select date_bin(interval '15 minutes', occurred_at, timestamptz '2000-01-01Z') as since,
       count(*) as rows,
       (extract(epoch from max(loaded_at)) * 1000000)::bigint as changed_us
from {events} as r
where occurred_at >= {start} and occurred_at < {end}
group by 1
