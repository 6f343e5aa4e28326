-- The columns of a parquet file. Grain: column.
select column_name, column_type from (describe select * from read_parquet($file, hive_partitioning = false))
