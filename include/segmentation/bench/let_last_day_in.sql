-- Lets in what hold_back_last_day.sql has set aside.
insert into shop.events select * from held_back.events;
insert into shop.orders select * from held_back.orders;
insert into shop.order_items select * from held_back.order_items;
insert into shop.customers select * from held_back.customers;
update shop.orders as o
set status = change.status, updated_at = change.updated_at
from held_back.changes as change
where change.order_id = o.order_id;
drop schema held_back cascade;
