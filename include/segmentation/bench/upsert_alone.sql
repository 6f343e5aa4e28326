-- The bare limit of publishing: one upsert of the labels that were copied into "arrived".
insert into labels select * from arrived
on conflict (customer_id) do update
set segment_id = excluded.segment_id, confidence = excluded.confidence, as_of = excluded.as_of
where labels.segment_id is distinct from excluded.segment_id
