-- Grain: one row. When a daily table's rows happened: the first one, how many lie in the future, how many have no
-- usable time. Three subqueries, because each can use an index on the time column.
select (select min({time}) from {rows} as r where {time} >= {floor}) as first_at,
       (select count(*) from {rows} as r where {time} > {future}) as future_rows,
       (select count(*) from {rows} as r where {time} is null or {time} < {floor}) as undated_rows
