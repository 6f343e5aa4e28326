"""What the run within the day hands in: source, warehouse, and whether a night is at work; why it skips, in words."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowSkipException
from sqlalchemy import Engine

from segmentation.catalog import APPROVAL_TASK, FIRST_TASK, LAST_TASK, NIGHTLY_DAG
from segmentation.config import settings
from segmentation.errors import Terminal
from segmentation_airflow.tonight import Report, report
from segmentation_airflow.turn import at_work, under_way
from segmentation_airflow.urls import SOURCE, open_warehouse, url_of

logger = logging.getLogger(__name__)


def run_within_day() -> Report:
    """Bring labels forward, unless a night is at work.

    Raises
    ------
    AirflowSkipException
        If there is nothing that this run could do, with the reason: a night is at work, or somebody has to act first.
        The night meets the same problem, and tells it; a run that fails every few minutes would only repeat it.
    """
    from segmentation.intraday.run_intraday import run_intraday

    run_id, now, warehouse = get_current_context()["dag_run"].run_id, datetime.now(UTC), open_warehouse()
    try:
        if night := _night_at_work(warehouse):
            raise AirflowSkipException(f"A night is at work (run {night}): labels come from it.")
        found = run_intraday(settings(), url_of(SOURCE), warehouse, run_id, now)
    except Terminal as error:
        raise AirflowSkipException(str(error)) from error
    finally:
        warehouse.dispose()
    if found.skipped:
        raise AirflowSkipException(f"Nothing was published: {found.skipped}.")
    return report(found)


def _night_at_work(warehouse: Engine) -> str:
    """Return the run of a night that is under way; '' if none is, or all wait for rows or for an answer."""
    return under_way(NIGHTLY_DAG, at_work(NIGHTLY_DAG, APPROVAL_TASK, LAST_TASK), FIRST_TASK, warehouse)
