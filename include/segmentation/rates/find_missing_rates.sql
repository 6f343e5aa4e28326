-- Orders in another currency than the reporting one without a usable rate.
-- Grain: currency; the most orders first. Interval: ordered_at before $end. Reads orders_to_convert and daily_rates.
-- An order that was cancelled before $end needs no rate.
select
    o.currency,
    count(*) as orders,
    min(rate_day(o.currency, o.ordered_at, $timezone)) as first_day,
    max(rate_day(o.currency, o.ordered_at, $timezone)) as last_day
from orders_to_convert as o
left join daily_rates as r
    on r.currency = other_currency(o.currency) and r.day = rate_day(o.currency, o.ordered_at, $timezone)
where
    o.ordered_at < $end
    and other_currency(o.currency) is not null
    and r.rate is null
    and not (list_contains($void, lower(o.status)) and o.updated_at < $end)
group by o.currency
order by orders desc, o.currency
