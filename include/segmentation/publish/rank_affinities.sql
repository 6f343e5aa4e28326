-- One row per group, level and item (DuckDB): how much more common its buyers are in the group than in the shop.
-- Ranked by the lift as it would be if prior more buyers had been expected in the group and had come: few buyers prove
-- little, so their lift counts as nearer to 1. An item with fewer than minimum_group buyers in the group is left out.
-- Reads bought (see count_bought.sql) and the views labels and assortment. Parameters: minimum_group, prior, top.
with grouped as (
    select 'segment' as kind, segment_id as group_id, count(*) as customers from labels group by all
    union all
    select 'taste', taste_id, count(*) from labels where taste_id is not null group by all
),

-- one row per item
shop as (
    select level, item, sum(buyers) as buyers, (select count(*) from labels) as customers
    from bought
    group by all
),

-- one row per group and item
counted as (
    select 'segment' as kind, segment_id as group_id, level, item, sum(buyers) as buyers from bought group by all
    union all
    select 'taste', taste_id, level, item, sum(buyers) from bought where taste_id is not null group by all
),

measured as (
    select
        kind,
        group_id,
        level,
        item,
        counted.buyers,
        counted.buyers / grouped.customers as support,
        shop.buyers / shop.customers as shop_support,
        grouped.customers * shop.buyers / shop.customers as expected
    from counted
    inner join grouped using (kind, group_id)
    inner join shop using (level, item)
    where counted.buyers >= $minimum_group
),

ranked as (
    select
        *,
        row_number() over (
            partition by kind, group_id, level
            order by round((buyers + $prior) / (expected + $prior), 9) desc, buyers desc, item
        ) as rank
    from measured
)

select
    ranked.kind,
    ranked.group_id,
    ranked.level,
    ranked.item,
    assortment.description,
    cast(ranked.buyers as integer) as buyers,
    round(ranked.support, 6) as support,
    round(ranked.shop_support, 6) as shop_support,
    round(ranked.support / ranked.shop_support, 4) as lift,
    cast(ranked.rank as integer) as rank
from ranked
left join assortment on ranked.level = 'product' and assortment.product_id = ranked.item
where rank <= $top
order by kind, group_id, level, rank
