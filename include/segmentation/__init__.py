"""Nightly customer segmentation: one package per step, none of which knows Airflow."""
