-- Enter one batch in the log as not confirmed. Grain: destination, campaign, customer, number. A batch that goes again
-- stays as it is; a customer whose batch was broken up moves to the new one.
-- Parameters: destination, campaign_id, event, as_of, batch_key, planned_at, run_id; arrays: customers, actions, numbers.
insert into ops.activation_log as entered (
    destination, campaign_id, customer_id, number, event, action, as_of, batch_key, planned_at, run_id
)
select
    :destination,
    :campaign_id,
    recipient.customer_id,
    recipient.number,
    :event,
    recipient.action,
    :as_of,
    :batch_key,
    :planned_at,
    :run_id
from unnest(cast(:customers as text[]), cast(:actions as text[]), cast(:numbers as integer[]))
    as recipient (customer_id, action, number)
on conflict (destination, campaign_id, customer_id, number) do update
    set
        batch_key = excluded.batch_key,
        as_of = excluded.as_of,
        planned_at = excluded.planned_at,
        run_id = excluded.run_id
    where entered.batch_key <> excluded.batch_key
