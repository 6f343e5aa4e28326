"""What an erasure's task hands in: the warehouse, the run, and whether Airflow runs a night at the moment."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import get_current_context

from segmentation.catalog import APPROVAL_TASK, LAST_TASK, NIGHTLY_DAG
from segmentation.config import settings
from segmentation.errors import NightRunning
from segmentation_airflow.activation import login_of
from segmentation_airflow.tonight import Report, report
from segmentation_airflow.turn import at_work
from segmentation_airflow.urls import open_warehouse


def count_requests() -> int:
    """Return how many requests are open or begun."""
    from segmentation.erasure.requests import load_requests

    return len(load_requests(settings(), open_warehouse()))


def run_erasure() -> Report:
    """Erase the customers of all requests."""
    from segmentation.erasure.erase_customers import erase_customers

    run_id, now = get_current_context()["dag_run"].run_id, datetime.now(UTC)
    return report(erase_customers(settings(), open_warehouse(), run_id, now, _require_no_night, login_of))


def _require_no_night() -> None:
    """Make sure that Airflow runs no night: the ledger does not show a published day that is run again.

    A held night that waits for an answer writes nothing but what it finds in the lake then.
    """
    if running := at_work(NIGHTLY_DAG, APPROVAL_TASK, LAST_TASK):
        raise NightRunning(running[0])
