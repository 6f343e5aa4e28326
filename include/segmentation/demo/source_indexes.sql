-- What the nightly extraction looks rows up by; made after the rows are loaded, which is faster. One a line.
create index orders_ordered_at on shop.orders (ordered_at);
create index orders_updated_at on shop.orders (updated_at);
create index events_occurred_at on shop.events (occurred_at);
create index events_loaded_at on shop.events (loaded_at);
