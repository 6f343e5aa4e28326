-- The rows of a file $times times, under keys of their own, in order of one of them. Grain: as the file, and copy.
select original.* replace ({moved})
from read_parquet($file, hive_partitioning = false) as original
cross join range($times) as copy (number)
order by {key}
