-- One row: the newest run of a business day. Parameter: day.
select * from ops.runs where business_day = :day order by started_at desc limit 1
