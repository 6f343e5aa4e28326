"""The Airflow layer: what stands between Airflow's runs and connections and the product under include/."""
