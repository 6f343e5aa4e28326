"""Audience export: the customers of running campaigns out to files, buckets and webhooks, after each night.

**If it fails:** who was confirmed is in `ops.activation_log` and is not sent again; who was not goes again with the
next run, in the same batches under the same idempotency keys. One destination's failure does not touch the others.
Segments and campaigns are not affected.

**May I rerun it?** Yes, any task, any number of times: it sends what changed since the last export, and then nothing.

**Nothing is sent** unless `SEGMENTATION_ACTIVATION__SEND=true` (each night), or `send` is ticked in the form (this
run): a dry run logs how many would join, leave and be withheld, and writes nothing.

Runs when `segmentation_nightly` has published. Reads `marts.campaigns`, `marts.campaign_members` and the consent in
`marts.customer_segments`. Writes to the destinations in `SEGMENTATION_ACTIVATION__DESTINATIONS`, with logins from
connections `segmentation_destination_<name>`, and `ops.activation_log`. Owner: data engineering. Runbook:
`docs/RUNBOOK.md`; what a receiver gets: `docs/ACTIVATION.md`.
"""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import Param, PartitionedAssetTimetable, dag, task

from segmentation.config import settings
from segmentation_airflow.assets import CUSTOMER_SEGMENTS
from segmentation_airflow.schedule import BEGINNING
from segmentation_airflow.step import PATIENCE, Report

SEND = Param(
    settings().activation.send, type="boolean", title="Really send", section="What to send",
    description="Send and log it. Not ticked: a dry run, which only counts who would join and who would leave.",
)  # fmt: skip
CAMPAIGN = Param(
    None, type=["null", "integer"], title="Campaign", section="What to send",
    description="Number of one campaign, see marts.campaigns. Empty: all that run.",
)  # fmt: skip


@task
def list_destinations() -> list[str]:
    """Name the destinations in the settings."""
    return sorted(settings().activation.destinations)


@task(multiple_outputs=False, map_index_template="{{ task.op_kwargs['destination'] }}")
def export(destination: str) -> Report:
    """Send one destination who joined and who left since the last export, or tell who would."""
    from segmentation_airflow.activation import run_export

    return run_export(destination)


@dag(
    dag_id=Path(__file__).stem, description=__doc__.partition("\n")[0], doc_md=__doc__,
    # the night's event carries its day as partition key: only such a timetable hears it
    schedule=PartitionedAssetTimetable(assets=CUSTOMER_SEGMENTS), start_date=BEGINNING, catchup=False,
    default_args=PATIENCE | {"execution_timeout": timedelta(hours=6)}, max_active_runs=1,
    is_paused_upon_creation=False, tags=["segmentation", "activation"], params={"send": SEND, "campaign": CAMPAIGN},
)  # fmt: skip
def audience() -> None:
    """Wire the export: each destination by itself."""
    export.expand(destination=list_destinations())


audience()
