-- Grain: UTC day. About how many rows a daily table has, from a sample of its blocks where it can be sampled.
select date_bin(interval '1 day', {time}, timestamptz '2000-01-01Z') as since, count(*) * {scale} as rows
from {rows} as r
where {time} >= {start} and {time} < {end}
group by 1
