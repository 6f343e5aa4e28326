-- One row per broken promise about a business day's data. Parameter: day.
select * from ops.check_results where business_day = :day and not passed order by level desc, table_name, check_name
