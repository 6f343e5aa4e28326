-- Small numbers for the bucket's customers, in the order of their ids: grouping and sorting by number takes a third of the
-- time that text takes. Grain: customer.
create or replace temp table numbered_customers as
select customer_id, cast(row_number() over (order by customer_id) as integer) as customer_no
from (select distinct customer_id from seen_customers);
