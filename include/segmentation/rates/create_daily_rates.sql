-- The rate that holds on each day: that of the day itself, or else the newest one, up to $usable_days days old.
-- Grain: currency, day. Reads known_rates (rows of the contract's rates table).
-- A rate is units of the reporting currency per unit of currency; decimal, so that half a cent is exactly half a cent.
create or replace temp table daily_rates as
with
-- one row per rate: until when it may hold
known as (
    select
        currency,
        day,
        cast(rate as decimal(20, 12)) as rate,
        least(day + $usable_days, lead(day) over (partition by currency order by day) - 1) as last_day
    from known_rates
)

select currency, cast(unnest(generate_series(day, last_day, interval 1 day)) as date) as day, rate
from known;
