-- Set the labels of one business day in marts.customer_segment_history (grain: customer, valid_from).
-- A label holds on [day, next_day): next_day is the next published day, or null = open. Days may come in any
-- order and again: the table ends as if all published days had come in order. Only customers whose label on the
-- day differs from tonight's are touched.
-- Parameters: day, next_day, run_id (of this run), next_run_id (that published next_day).
-- Leaves the temporary table changed for the statements after it.

-- changed: one row per customer whose stay on the day is not in tonight's segment (or who came, or left)
create temporary table changed on commit drop as
with stay_on_day as (
    select customer_id, valid_from, valid_to, segment_id, run_id
    from marts.customer_segment_history
    where valid_from <= %(day)s::date and (valid_to is null or valid_to > %(day)s::date)
)
select
    customer_id,
    tonight.segment_id,
    stay_on_day.valid_from as old_from,
    stay_on_day.valid_to as old_to,
    stay_on_day.segment_id as old_segment_id,
    stay_on_day.run_id as old_run_id
from tonight full join stay_on_day using (customer_id)
where tonight.segment_id is distinct from stay_on_day.segment_id;

analyze changed;

-- stays: what replaces the rows of these customers that touch [day, next_day)
create temporary table stays on commit drop as
with before_day as (
    select customer_id, old_from as valid_from, %(day)s::date as valid_to, old_segment_id as segment_id, old_run_id as run_id
    from changed
    where old_from < %(day)s::date
),

from_next_day as (
    select
        customer_id,
        %(next_day)s::date as valid_from,
        old_to as valid_to,
        old_segment_id as segment_id,
        %(next_run_id)s::text as run_id
    from changed
    where old_from is not null and %(next_day)s::date is not null and (old_to is null or old_to > %(next_day)s::date)
),

-- joined with a stay in the same segment that ends where this one begins, or begins where it ends
on_day as (
    select
        changed.customer_id,
        coalesce(earlier.valid_from, %(day)s::date) as valid_from,
        case when later.customer_id is null then %(next_day)s::date else later.valid_to end as valid_to,
        changed.segment_id,
        coalesce(earlier.run_id, %(run_id)s::text) as run_id
    from changed
    left join marts.customer_segment_history as earlier
        on earlier.customer_id = changed.customer_id
        and earlier.valid_to = %(day)s::date
        and earlier.segment_id = changed.segment_id
    left join marts.customer_segment_history as later
        on later.customer_id = changed.customer_id
        and later.valid_from = %(next_day)s::date
        and later.segment_id = changed.segment_id
    where changed.segment_id is not null
)

select * from before_day
union all
select * from from_next_day
union all
select * from on_day;

delete from marts.customer_segment_history as history
using changed
where history.customer_id = changed.customer_id
    and (
        history.valid_from = changed.old_from
        or (history.segment_id = changed.segment_id and history.valid_to = %(day)s::date)
        or (history.segment_id = changed.segment_id and history.valid_from = %(next_day)s::date)
    );

insert into marts.customer_segment_history (customer_id, valid_from, valid_to, segment_id, run_id)
select customer_id, valid_from, valid_to, segment_id, run_id
from stays
order by customer_id, valid_from;
