-- Grain: day and currency. The rates up to the business day; later ones, and days that no calendar holds, are left out.
select {columns}
from {rates} as r
where r.day > date '0001-01-02' and r.day <= date '{last_day}'
