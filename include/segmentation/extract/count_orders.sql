-- Grain: quarter of an hour, in which every timezone's days begin and end; the caller adds them up to business days
-- (a fraction of what a conversion of each row to local time costs). What tells whether a day's orders changed.
select date_bin(interval '15 minutes', ordered_at, timestamptz '2000-01-01Z') as since,
       count(*) as rows,
       (extract(epoch from max(updated_at)) * 1000000)::bigint as changed_us,
       -- whole cents: they add up exactly in any order
       -- (an amount whose cents no float8 holds counts as infinite: it would else end the query)
       sum(case when abs(total_amount) < 1e300 then round(total_amount * 100) else total_amount * 'infinity' end)
           as cents
from {orders} as r
where ordered_at >= {start} and ordered_at < {end}
group by 1
