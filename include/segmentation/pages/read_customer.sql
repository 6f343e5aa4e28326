-- The label of one customer: one row, or none. Parameter: customer_id.
select * from marts.customer_segments where customer_id = :customer_id
