-- Hashes of the keys of events that are in the bucket's files more than once, or look so. Grain: hash.
create or replace temp table repeated_hashes as
select distinct unnest(cast($hashes as ubigint[])) as hash;
