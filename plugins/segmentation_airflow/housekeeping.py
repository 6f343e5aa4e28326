"""What housekeeping's task hands in: the warehouse, the form, and where Airflow keeps the logs of our DAGs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk import get_current_context
from airflow.sdk.configuration import conf

from segmentation.catalog import OUR_DAGS
from segmentation.config import settings
from segmentation.housekeeping.tidy import tidy
from segmentation_airflow.tonight import Report, report
from segmentation_airflow.urls import open_warehouse


def run_tidy() -> Report:
    """Tidy up as the running task's form says."""
    remove, now = get_current_context()["params"]["remove"], datetime.now(UTC)
    folder = Path(conf.get("logging", "base_log_folder"))
    logs = [folder / f"dag_id={dag_id}" for dag_id in OUR_DAGS]
    return report(tidy(settings(), open_warehouse(), now, dry_run=not remove, logs=logs))
