-- What a reader of the marts sees at one instant: rows of the current labels, and a hash over what they say.
-- Grain: one row.
select
    (select count(*) from marts.customer_segments) as customers,
    md5(concat_ws(
        '|',
        (select string_agg(t::text, ',' order by customer_id) from marts.customer_segments as t),
        (select string_agg(t::text, ',' order by segment_id) from marts.segments as t),
        (select string_agg(t::text, ',' order by t::text) from marts.segment_profiles as t),
        (select string_agg(t::text, ',' order by t::text) from marts.segment_transitions as t),
        (select string_agg(t::text, ',' order by t::text) from marts.segment_actions as t),
        (select string_agg(t::text, ',' order by t::text) from marts.customer_segment_history as t)
    )) as picture
