-- Sets aside what a shop does not know yet before :start: rows of the last day, late rows of earlier days that arrive on
-- it, and what it changes in earlier orders (returned, refunded or cancelled then). let_last_day_in.sql lets it in.
create schema held_back;

create table held_back.events as select * from shop.events where loaded_at >= :start;
delete from shop.events where loaded_at >= :start;

create table held_back.orders as select * from shop.orders where ordered_at >= :start;
create table held_back.order_items as
select item.* from shop.order_items as item inner join held_back.orders using (order_id);
delete from shop.order_items where order_id in (select order_id from held_back.orders);
delete from shop.orders where ordered_at >= :start;

create table held_back.changes as
select order_id, status, updated_at from shop.orders where updated_at >= :start;
update shop.orders set status = 'completed', updated_at = ordered_at where updated_at >= :start;

create table held_back.customers as select * from shop.customers where created_at >= :start;
delete from shop.customers where created_at >= :start;

-- blocks of customers were written one after the other, but a shop writes its rows as they happen
set local maintenance_work_mem = '512MB';
cluster shop.events using events_occurred_at;
cluster shop.orders using orders_ordered_at;
