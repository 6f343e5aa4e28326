-- How an order's amounts become amounts of the reporting currency; used by every query that sums orders.
-- The variable reporting_currency is '' for a shop whose amounts are taken as they are.

-- The currency that has to be converted from; null for the reporting currency, or where an order names none.
create or replace temp macro other_currency(currency) as
    case when getvariable('reporting_currency') <> '' then nullif(currency, getvariable('reporting_currency')) end;

-- The day whose rate counts: the order's business day; null where nothing is converted.
create or replace temp macro rate_day(currency, ordered_at, timezone) as
    case when other_currency(currency) is not null then cast(timezone(timezone, ordered_at) as date) end;

-- Whole cents of the reporting currency, half a cent up. Only orders that were cancelled by the end of the day may
-- lack a rate (see find_missing_rates.sql); their amount is never counted, unless a cut-off before the cancellation
-- still has them as orders: there it is 0.
create or replace temp macro reported_cents(cents, currency, rate) as
    case
        when other_currency(currency) is null then cents
        else cast(round(cast(cents as decimal(16, 0)) * coalesce(rate, 0)) as bigint)
    end;
