-- tonight: the labels of the day being published, as they come from the lake.
-- Grain: customer. Filled by COPY; gone when the transaction ends.
create temporary table tonight (
    customer_id text primary key,
    segment_id integer not null,
    confidence double precision not null,
    reasons text[] not null,
    rfm_segment text not null,
    taste_id integer,
    may_contact boolean
) on commit drop;
