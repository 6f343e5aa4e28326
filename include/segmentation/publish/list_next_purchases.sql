-- next_purchases (DuckDB): one row per labelled customer with an interest or a product that they come back for, as
-- marts.customer_next_purchases holds it. Lists are written as Postgres reads arrays: texts quoted, quotes and
-- backslashes in them escaped.
-- Each customer's rows are gathered and sorted once, as structs: one sorted aggregate per column takes five times as long.
-- Reads the views interests and labels and the tables regulars and shares.
create table next_purchases as
with interested as (
    select
        customer_id,
        list_sort(list({
            'less': -likelihood, 'category': category, 'likelihood': likelihood, 'lift': lift, 'periods': bought_periods
        })) as rows
    from interests
    semi join labels using (customer_id)
    group by customer_id
),

-- of products that are shared out alone
returning_for as (
    select customer_id, list_sort(list({'less': -periods, 'product_id': product_id, 'periods': periods})) as rows
    from regulars
    semi join shares on shares.product_id = regulars.product_id and shares.segment_id = -1
    semi join labels on labels.customer_id = regulars.customer_id
    group by customer_id
),

written as (
    select
        customer_id,
        list_transform(interested.rows, lambda x: '"' || replace(replace(x.category, '\', '\\'), '"', '\"') || '"') as categories,
        list_transform(interested.rows, lambda x: x.likelihood) as likelihoods,
        list_transform(interested.rows, lambda x: x.lift) as lifts,
        list_transform(interested.rows, lambda x: x.periods) as bought_periods,
        list_transform(returning_for.rows, lambda x: '"' || replace(replace(x.product_id, '\', '\\'), '"', '\"') || '"')
            as products,
        list_transform(returning_for.rows, lambda x: x.periods) as product_periods
    from interested
    full join returning_for using (customer_id)
)

select customer_id, '{' || coalesce(array_to_string(columns(* exclude customer_id), ','), '') || '}'
from written
