-- One row per segment with customers that the model knows (DuckDB): how far what they will do may be from what is
-- expected of them, as the sum over customers of the variance of one. Sums are of whole numbers, so they do not depend
-- on the order of rows.
-- Staying away or not is a coin with the expected chance: variance chance x (1 - chance). Spend is as far off as it was
-- 28 days ago for customers of whom as much was expected then: the mean square of the misses in one of $bands equal
-- bands of expected spend; null if no future is known.
-- Reads the views labels, outlook and matured (expected then, and what was spent). Parameter: bands.
with placed as (
    select
        expected_spend,
        cast(round((actual_spend - expected_spend) * 100) as hugeint) as missed_cents,
        ntile($bands) over (order by expected_spend, customer_id) as band
    from matured
),

bands as (
    select
        -- the lowest band takes what is below it too
        case when band = 1 then '-infinity'::double else min(expected_spend) end as from_spend,
        cast(round(sum(missed_cents * missed_cents) / count(*)) as hugeint) as spend_variance
    from placed
    group by band
)

select
    labels.segment_id,
    sum(bands.spend_variance) as square_cents,
    cast(sum(cast(round(outlook.churn_probability * (1 - outlook.churn_probability) * 1000000) as bigint)) as bigint)
        as square_millionths
from labels
join outlook using (customer_id)
asof left join bands on outlook.expected_spend >= bands.from_spend
group by labels.segment_id
order by labels.segment_id
