-- One row per segment and category (DuckDB): share of the segment's spend of the last 365 days, and the lift: that
-- share over the shop's share. Best first within a segment: a category ranks high if it is both much bought and
-- bought more than elsewhere. A category with few buyers in the segment is left out: its lift would be chance.
-- Reads the views labels, static and categories. Parameters: minimum_buyers, top.
with spend as (
    select
        labels.segment_id,
        categories.category,
        cast(round(static.monetary_365d * categories.spend_share * 100) as bigint) as cents
    from categories
    join labels using (customer_id)
    join static using (customer_id)
    where categories.spend_share > 0 and static.monetary_365d > 0
),

by_category as (
    select
        segment_id,
        category,
        cast(sum(cents) as bigint) as cents,
        cast(count(*) as bigint) as buyers
    from spend
    group by segment_id, category
),

shares as (
    select
        segment_id,
        category,
        buyers,
        cents / sum(cents) over (partition by segment_id) as share,
        cast(sum(cents) over (partition by category) as double) / sum(cents) over () as shop_share
    from by_category
    where cents > 0
),

ranked as (
    select
        *,
        row_number() over (partition by segment_id order by round(share * ln(share / shop_share), 9) desc, category) as rank
    from shares
    where buyers >= $minimum_buyers
)

select segment_id, category, buyers, round(share, 4) as share, round(share / shop_share, 2) as lift
from ranked
where rank <= $top
order by segment_id, rank
