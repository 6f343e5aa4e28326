"""What people look at: the Segments page and the report of a night, from the warehouse; no Airflow here."""
