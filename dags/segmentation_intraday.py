"""Labels within the day: who did something since the night gets a fresh label by the night's own model and segments.

**If it fails:** everybody keeps the label they have, and the night gives new ones as ever. Nothing half-done is
visible.

**If it is skipped:** its log says why. A night is at work; or there is no published night of the last days, or its
model is gone, or the source has changed: the night meets that, too, and tells it.

**May I rerun it?** Yes, any number of times: the same rows give the same labels, and the next run goes on where the
last one that published ended (`ops.intraday`).

**It is paused until somebody unpauses it**, because it reads today's rows from the shop's database every few minutes
(`SEGMENTATION_INTRADAY__EVERY_MINUTES`). With nothing to do it takes a few seconds.

Reads connection `segmentation_source`, the lake and the models. Writes, through connection `segmentation_warehouse`,
`marts.customer_segments` (`source = 'intraday'`) and `ops.intraday`; the histories and everything about groups stay the
nights'. Owner: data engineering. Runbook: `docs/RUNBOOK.md`.
"""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import CronTriggerTimetable, dag, task

from segmentation.config import settings
from segmentation_airflow.schedule import BEGINNING, end_of_schedule
from segmentation_airflow.step import PATIENCE, Report

#: The next run comes soon: there is no use in trying for long.
SHORT = {"retries": 1, "retry_delay": timedelta(seconds=30), "execution_timeout": timedelta(minutes=14)}
MINUTES = settings().intraday.every_minutes


@task(multiple_outputs=False)
def bring_forward() -> Report:
    """Read what is new in the shop, and label those who did something; skip if a night is at work."""
    from segmentation_airflow.intraday import run_within_day

    return run_within_day()


@dag(
    dag_id=Path(__file__).stem, description=__doc__.partition("\n")[0], doc_md=__doc__,
    schedule=CronTriggerTimetable(f"*/{MINUTES} * * * *", timezone=settings().timezone),
    start_date=BEGINNING, end_date=end_of_schedule(settings()), catchup=False,
    default_args=PATIENCE | SHORT, max_active_runs=1, is_paused_upon_creation=True,
    tags=["segmentation", "intraday"],
)  # fmt: skip
def intraday() -> None:
    """Wire the run."""
    bring_forward()


intraday()
