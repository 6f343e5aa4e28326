union all
select {columns}
from {changed} as r
where {time} >= {floor} and {time} < {since}
