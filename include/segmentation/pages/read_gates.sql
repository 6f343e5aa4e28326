-- One row per gate of a business day, broken ones first. Parameter: day.
select * from ops.metrics where business_day = :day and passed is not null order by passed, metric, scope
