-- The extraction may read the shop, without personal data, and nothing else.
grant usage on schema shop to segmentation_extract;
grant select on all tables in schema shop to segmentation_extract;
revoke select on shop.customers from segmentation_extract;
grant select (customer_id, created_at, country, updated_at, marketing_consent) on shop.customers to segmentation_extract;
