-- One row per taste that ever was.
select * from marts.tastes order by taste_id
