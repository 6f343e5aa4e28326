-- One row per customer likely to buy an item, likeliest first; consent and holdout are the function's work.
-- A text that a spreadsheet would take for a formula gets a quote in front. Parameters: item, customers.
select
    case when customer_id ~ '^([=+@\t\r]|-[^0-9])' then '''' || customer_id else customer_id end as customer_id,
    round(likelihood::numeric, 6) as likelihood,
    case when segment_name ~ '^[=+@\t\r-]' then '''' || segment_name else segment_name end as segment_name
from marts.audience(%(item)s, %(customers)s)
