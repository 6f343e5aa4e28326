-- A shop's source database, as the contract names it (see docs on mapping for shops that differ).
-- Times are instants (timestamptz); money is in the order's currency. One statement block, run in the
-- transaction that also loads the rows, so that a killed load leaves no half-filled shop behind.

create schema shop;

-- grain: customer; marketing_consent null = the shop does not say
create table shop.customers (
    customer_id bigint primary key,
    created_at timestamptz not null,
    email text,
    country text,
    birth_year int,
    updated_at timestamptz not null,
    marketing_consent boolean
);

-- grain: product
create table shop.products (
    product_id bigint primary key,
    category text,
    subcategory text,
    brand text,
    list_price numeric(12, 2),
    updated_at timestamptz not null
);

-- grain: order; total_amount is what was paid, discount_amount what was taken off before that
create table shop.orders (
    order_id bigint primary key,
    customer_id bigint not null,
    ordered_at timestamptz not null,
    status text not null,
    currency char(3) not null,
    total_amount numeric(12, 2) not null,
    discount_amount numeric(12, 2) not null default 0,
    coupon_code text,
    updated_at timestamptz not null
);

-- grain: line of an order; revenue = quantity * unit_price - discount_amount
create table shop.order_items (
    order_id bigint not null,
    line_no int not null,
    product_id bigint not null,
    quantity numeric(12, 3) not null,
    unit_price numeric(12, 2) not null,
    discount_amount numeric(12, 2) not null default 0,
    primary key (order_id, line_no)
);

-- grain: day and currency; rate = units of the reporting currency per unit of currency; days without trade have none
create table shop.exchange_rates (
    day date not null,
    currency char(3) not null,
    rate numeric(20, 10) not null,
    primary key (day, currency)
);

-- grain: event; customer_id null = anonymous visitor; loaded_at later than occurred_at = a late event
create table shop.events (
    event_id bigint primary key,
    customer_id bigint,
    session_id text,
    occurred_at timestamptz not null,
    event_type text not null,
    product_id bigint,
    channel text,
    properties jsonb,
    loaded_at timestamptz not null
);
