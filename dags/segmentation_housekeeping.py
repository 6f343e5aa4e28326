"""Housekeeping: what is older than the policy keeps goes, never what a backfill within the policy needs.

**If it fails:** nothing is missing that a night needs; old files stay a week longer.

**May I rerun it?** Yes, any number of times.

**Nothing is removed** unless `SEGMENTATION_HOUSEKEEPING__REMOVE=true` (each week), or `remove` is ticked in the form
(this run): a dry run logs each file that would go, with its reason.

The policy is in `docs/SETTINGS.md` (housekeeping). Reads `ops.runs`. Writes, that is removes from: lake (features,
outlooks, snapshots, superseded labels, spread months that no night reads, quarantine), models, Data Docs, reports, log
files of these DAGs, and `ops.downloads`. Airflow's own tables are Airflow's: `airflow db clean`. Owner: data
engineering. Runbook: `docs/RUNBOOK.md`.
"""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import CronTriggerTimetable, Param, dag, task

from segmentation.config import settings
from segmentation_airflow.schedule import BEGINNING
from segmentation_airflow.step import PATIENCE, Report

REMOVE = Param(
    settings().housekeeping.remove, type="boolean", title="Really remove", section="What to do",
    description="Remove what is listed. Not ticked: a dry run, which only logs what would go.",
)  # fmt: skip


@task(multiple_outputs=False)
def tidy() -> Report:
    """Remove, or tell, what is too old."""
    from segmentation_airflow.housekeeping import run_tidy

    return run_tidy()


@dag(
    dag_id=Path(__file__).stem, description=__doc__.partition("\n")[0], doc_md=__doc__,
    # by day, when no night is due
    schedule=CronTriggerTimetable("0 13 * * 0", timezone=settings().timezone), start_date=BEGINNING, catchup=False,
    default_args=PATIENCE | {"execution_timeout": timedelta(hours=2)}, max_active_runs=1,
    is_paused_upon_creation=False, tags=["segmentation", "housekeeping"], params={"remove": REMOVE},
)  # fmt: skip
def housekeeping() -> None:
    """Wire the housekeeping."""
    tidy()


housekeeping()
