-- Set the labels of one business day in {history} (grain: customer, valid_from). The label is {label},
-- as in the column of that name in tonight; null there = no label, as for a customer who is not there at all.
-- A label holds on [day, next_day): next_day is the next published day, or null = open. Days may come in any
-- order and again: the table ends as if all published days had come in order. Only customers whose label on the
-- day differs from tonight's are touched.
-- Parameters: day, next_day, run_id (of this run), next_run_id (that published next_day).
-- Leaves the temporary table {changed} for the statements after it.

-- {changed}: one row per customer whose stay on the day does not have tonight's label (or who came, or left)
create temporary table {changed} on commit drop as
with stay_on_day as (
    select customer_id, valid_from, valid_to, {label}, run_id
    from {history}
    where valid_from <= %(day)s::date and (valid_to is null or valid_to > %(day)s::date)
),

label_tonight as (
    select customer_id, {label}
    from tonight
    where {label} is not null
)

select
    customer_id,
    label_tonight.{label},
    stay_on_day.valid_from as old_from,
    stay_on_day.valid_to as old_to,
    stay_on_day.{label} as old_label,
    stay_on_day.run_id as old_run_id
from label_tonight full join stay_on_day using (customer_id)
where label_tonight.{label} is distinct from stay_on_day.{label};

analyze {changed};

-- {stays}: what replaces the rows of these customers that touch [day, next_day)
create temporary table {stays} on commit drop as
with before_day as (
    select customer_id, old_from as valid_from, %(day)s::date as valid_to, old_label as {label}, old_run_id as run_id
    from {changed}
    where old_from < %(day)s::date
),

from_next_day as (
    select
        customer_id,
        %(next_day)s::date as valid_from,
        old_to as valid_to,
        old_label as {label},
        %(next_run_id)s::text as run_id
    from {changed}
    where old_from is not null and %(next_day)s::date is not null and (old_to is null or old_to > %(next_day)s::date)
),

-- joined with a stay of the same label that ends where this one begins, or begins where it ends
on_day as (
    select
        changed.customer_id,
        coalesce(earlier.valid_from, %(day)s::date) as valid_from,
        case when later.customer_id is null then %(next_day)s::date else later.valid_to end as valid_to,
        changed.{label},
        coalesce(earlier.run_id, %(run_id)s::text) as run_id
    from {changed} as changed
    left join {history} as earlier
        on earlier.customer_id = changed.customer_id
        and earlier.valid_to = %(day)s::date
        and earlier.{label} = changed.{label}
    left join {history} as later
        on later.customer_id = changed.customer_id
        and later.valid_from = %(next_day)s::date
        and later.{label} = changed.{label}
    where changed.{label} is not null
)

select * from before_day
union all
select * from from_next_day
union all
select * from on_day;

delete from {history} as history
using {changed} as changed
where history.customer_id = changed.customer_id
    and (
        history.valid_from = changed.old_from
        or (history.{label} = changed.{label} and history.valid_to = %(day)s::date)
        or (history.{label} = changed.{label} and history.valid_from = %(next_day)s::date)
    );

insert into {history} (customer_id, valid_from, valid_to, {label}, run_id)
select customer_id, valid_from, valid_to, {label}, run_id
from {stays}
order by customer_id, valid_from;
