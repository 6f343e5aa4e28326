-- Grain: row of orders or events. All rows since the lake's last day, and older ones that were changed or arrived since;
-- two selects, because each can use an index. The second is left out for a shop without such a column.
select {columns}
from {rows} as r
where {time} >= {since} and {time} < {end}
{and_late}
