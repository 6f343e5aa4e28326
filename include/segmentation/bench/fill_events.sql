-- Grain: event. A clickstream of :rows events spread evenly over :days days from 2025-01-01 UTC: sessions of eight
-- events, one in five anonymous, one in six a campaign contact with its campaign in the properties.
insert into shop.events (
    event_id, customer_id, session_id, occurred_at, event_type, product_id, channel, properties, loaded_at
)
select i,
       case when i % 5 > 0 then i / 8 * 7919 % 50000 end,
       md5((i / 8)::text),
       placed.at,
       (array['page_view', 'product_view', 'search', 'add_to_cart', 'purchase', 'campaign_open'])[1 + i % 6],
       case when i % 3 = 0 then i % 5000 end,
       (array['web', 'app', 'email'])[1 + i % 3],
       case when i % 6 = 5 then jsonb_build_object('campaign_id', 'campaign-' || i % 30) end,
       placed.at + interval '5 minutes'
from generate_series(0, cast(:rows as bigint) - 1) as i
cross join lateral (
    select timestamptz '2025-01-01Z' + i * (interval '1 day' * cast(:days as int) / cast(:rows as int)) as at
) as placed
