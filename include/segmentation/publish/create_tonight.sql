-- tonight: the labels of the day being published, as they come from the lake.
-- Grain: customer. Filled by COPY; gone when the transaction ends. Parameters: holdout_share, holdout_salt.
create temporary table tonight (
    customer_id text primary key,
    segment_id integer not null,
    confidence double precision not null,
    reasons text[] not null,
    rfm_segment text not null,
    taste_id integer,
    may_contact boolean,
    -- uniform on [0, 1) by customer, the same every night
    holdout boolean not null generated always as (
        ('x' || left(md5(%(holdout_salt)s || customer_id), 8))::bit(32)::bigint / 4294967296.0 < %(holdout_share)s
    ) stored
) on commit drop;
