-- Grain: one row. The newest row of a daily table that is not in the future, and whether the business day has rows.
select (select max({time}) from {rows} as r where {time} <= {now}) as newest_at,
       exists (select 1 from {rows} as r where {time} >= {start} and {time} < {end} and {time} <= {now}) as day_has_rows
