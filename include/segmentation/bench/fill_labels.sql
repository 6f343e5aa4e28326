-- Fill an empty warehouse with synthetic labels and nights: 10 segments, 6 tastes, and every night one customer in a
-- hundred moves. Parameters: customers, nights, last (the newest night).
insert into marts.segments (segment_id, name, description, status, born_on, lineage, rules, rule_fidelity)
select
    number,
    'Segment ' || number,
    'A synthetic segment.',
    'active',
    %(last)s::date - %(nights)s,
    '{}',
    array['orders at least ' || number || ' times in 28 days'],
    0.9
from generate_series(1, 10) as number;

insert into marts.tastes (taste_id, name, description, status, born_on, lineage)
select number, 'Taste ' || number, 'A synthetic taste.', 'active', %(last)s::date - %(nights)s, '{}'
from generate_series(1, 6) as number;

-- history: a first stay of everybody, and a second one of those who moved on one of the later nights
insert into marts.customer_segment_history (customer_id, valid_from, valid_to, segment_id, run_id)
select
    'customer-' || number,
    %(last)s::date - %(nights)s + 1,
    case when number %% 100 < %(nights)s - 1 then %(last)s::date - number %% 100 end,
    1 + number %% 10,
    'bench'
from generate_series(1, %(customers)s) as number;

insert into marts.customer_segment_history (customer_id, valid_from, valid_to, segment_id, run_id)
select 'customer-' || number, %(last)s::date - number %% 100, null, 1 + (number + 1) %% 10, 'bench'
from generate_series(1, %(customers)s) as number
where number %% 100 < %(nights)s - 1;

insert into marts.customer_taste_history (customer_id, valid_from, valid_to, taste_id, run_id)
select 'customer-' || number, %(last)s::date - %(nights)s + 1, null, 1 + number %% 6, 'bench'
from generate_series(1, %(customers)s) as number;

insert into marts.customer_segments (
    customer_id, segment_id, segment_name, since, confidence, reasons, rfm_segment, holdout, as_of, model_version,
    taste_id, taste_name, taste_since
)
select
    stay.customer_id,
    stay.segment_id,
    'Segment ' || stay.segment_id,
    stay.valid_from,
    0.5,
    array['orders every 7 days, shop median 10', 'pays 40 an order, shop median 25'],
    'Champions',
    stay.customer_id like '%%00',
    %(last)s::date,
    'bench',
    taste.taste_id,
    'Taste ' || taste.taste_id,
    taste.valid_from
from marts.customer_segment_history as stay
join marts.customer_taste_history as taste using (customer_id)
where stay.valid_to is null;

insert into marts.segment_profiles (
    as_of, segment_id, customers, share, revenue_28d, revenue_share_28d, orders_28d, revenue_365d, orders_365d,
    average_order_value, recency_days_median, days_between_orders_median, discount_share, returns_share,
    top_categories, expected_spend_28d, expected_churn_28d, distinctive
)
select
    day,
    segment_id,
    customers,
    customers / %(customers)s::double precision,
    customers * segment_id,
    segment_id / 55.0,
    customers * segment_id / 20,
    customers * segment_id * 12,
    customers * segment_id / 2,
    24,
    30 - segment_id,
    40 - segment_id,
    0.1,
    0.02,
    '[{"category": "tea", "share": 0.3, "lift": 1.5, "buyers": 1000}]',
    segment_id,
    1 - segment_id / 11.0,
    '["orders often"]'
from (
    select day::date as day, segment_id, count(*) as customers
    from generate_series(%(last)s::date - %(nights)s + 1, %(last)s::date, interval '1 day') as day
    join marts.customer_segment_history as stay
        on stay.valid_from <= day and (stay.valid_to is null or stay.valid_to > day)
    group by day, segment_id
) as sizes;

insert into marts.segment_transitions (
    as_of, from_segment_id, to_segment_id, customers, by_behaviour, by_relabelling, compared_to
)
select later.valid_from, earlier.segment_id, later.segment_id, count(*), count(*), 0, later.valid_from - 1
from marts.customer_segment_history as later
join marts.customer_segment_history as earlier
    on earlier.customer_id = later.customer_id and earlier.valid_to = later.valid_from
group by later.valid_from, earlier.segment_id, later.segment_id;

insert into marts.segment_tastes (as_of, segment_id, taste_id, customers, share, lift)
select %(last)s::date, segment_id, taste_id, count(*), 1 / 6.0, 1
from marts.customer_segments
group by segment_id, taste_id;

insert into marts.customer_map (as_of, segment_ids, x, y, x_axis, y_axis, explained, customers)
select
    %(last)s::date,
    array_agg(1 + number %% 10 order by number),
    array_agg((number %% 97)::real order by number),
    array_agg((number %% 89)::real order by number),
    'more expected orders',
    'more expected spend',
    0.9,
    %(customers)s
from generate_series(1, 5000) as number;

insert into ops.runs (run_id, business_day, status, started_at, finished_at, customers)
select 'bench ' || day, day, 'published', day + interval '1 day', day + interval '1 day', %(customers)s
from generate_series(%(last)s::date - %(nights)s + 1, %(last)s::date, interval '1 day') as day;

insert into ops.metrics (business_day, step, metric, value, threshold, passed, detail, run_id)
select day, 'evaluate', 'gate_' || name, 0.1, 0.2, true, 'as it should be', 'bench ' || day
from generate_series(%(last)s::date - %(nights)s + 1, %(last)s::date, interval '1 day') as day
cross join unnest(array['moved_share', 'usefulness', 'smallest_share', 'customers_labelled']) as name;
