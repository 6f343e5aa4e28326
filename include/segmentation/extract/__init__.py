"""Source tables in, one folder of parquet per table and business day out."""
