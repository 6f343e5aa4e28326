-- The map of a day: one row, or none. Parameter: day.
select * from marts.customer_map where as_of = :day
