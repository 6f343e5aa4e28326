-- One row per category that one customer is likely to buy from, likeliest first. Parameter: customer_id.
select * from marts.customer_interests where customer_id = :customer_id order by likelihood desc, category limit 10
