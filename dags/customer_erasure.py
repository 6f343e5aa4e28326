"""Erase customers everywhere: lake, models, tables, exports; then prove it by a search, and certify it.

**If it fails:** no certificate is written, and what was removed stays removed. From the moment of the request on no
extraction takes the customer in again. Segments and campaigns of everybody else are not affected.

**May I rerun it?** Yes, any number of times: a run goes on with what an interrupted one began, and then does nothing.

To ask for an erasure: `segmentation erasure request`, or as `segmentation_publish`
`insert into ops.erasure_requests (customer_id) values ('4711')`. The proof: `ops.erasure_certificates`, which names the
destinations to be told, too. It waits for a night that is under way, and needs `SEGMENTATION_PRIVACY__KEY`.

Reads `ops.erasure_requests`. Writes every file and table that holds the customer. Owner: data engineering. Runbook:
`docs/RUNBOOK.md`; for the privacy officer: `docs/PRIVACY.md`.
"""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import CronTriggerTimetable, dag, task

from segmentation.config import settings
from segmentation_airflow.schedule import BEGINNING
from segmentation_airflow.step import PATIENCE, Report

#: A night lasts hours: it is waited for through the afternoon rather than given up after minutes.
WAITING = {"retries": 30, "retry_delay": timedelta(minutes=5), "execution_timeout": timedelta(hours=6)}


@task.short_circuit
def requests_waiting() -> bool:
    """Go on only if there is a request."""
    from segmentation_airflow.erasure import count_requests

    return count_requests() > 0


@task(multiple_outputs=False)
def erase() -> Report:
    """Remove each request's customer from models, tables, lake and exports, search for what is left, and certify."""
    from segmentation_airflow.erasure import run_erasure

    return run_erasure()


@dag(
    dag_id=Path(__file__).stem, description=__doc__.partition("\n")[0], doc_md=__doc__,
    # by day, when no night is due
    schedule=CronTriggerTimetable("0 12 * * *", timezone=settings().timezone), start_date=BEGINNING, catchup=False,
    default_args=PATIENCE | WAITING, max_active_runs=1, is_paused_upon_creation=False,
    tags=["segmentation", "privacy"],
)  # fmt: skip
def erasure() -> None:
    """Wire the erasure."""
    requests_waiting() >> erase()


erasure()
