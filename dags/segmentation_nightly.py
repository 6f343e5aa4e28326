"""Nightly customer segmentation: one business day of orders and clicks in, segment tables out.

**If it fails:** nothing half-done is visible and marketing keeps the last published labels; the task's log, and
`message` in `ops.runs`, say what to do. **If it waits in `approve`:** a gate holds the night; *Required actions* says
why, and asks whether to publish it all the same. No answer until the next night means no. `publish` is skipped then.

**May I rerun it?** Yes: any task, any day, any number of times, in any order; the same source gives the same result. A
later day that built on one that changed is marked stale in `ops.runs`, beside the command that brings it forward.

**Business day** = partition key; scheduled after midnight for the day before. A range of days (held ones are not asked
about): `airflow backfill create --dag-id segmentation_nightly --from-date 2017-10-01 --to-date 2017-10-07`

Reads connection `segmentation_source` (a role that only reads). Writes the lake, the models, the Data Docs and,
through connection `segmentation_warehouse`, `marts.*` and `ops.*`. Owner: data engineering. Runbook: `docs/RUNBOOK.md`.
"""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import chain, dag

from segmentation.catalog import APPROVAL_TASK, FIRST_TASK, LAST_TASK
from segmentation.config import settings
from segmentation_airflow.approval import AskIfHeld
from segmentation_airflow.assets import CUSTOMER_SEGMENTS, announce
from segmentation_airflow.deadline import PUBLISHED_IN_TIME
from segmentation_airflow.form import FORM
from segmentation_airflow.lineage import marts_tables, shop_tables
from segmentation_airflow.links import with_data_docs, with_report
from segmentation_airflow.schedule import BEGINNING, after_each_day, end_of_schedule
from segmentation_airflow.step import DEFAULTS, Report, step
from segmentation_airflow.tonight import Tonight, base_of, report
from segmentation_airflow.wait import WaitForSource


@step(reads=shop_tables, execution_timeout=timedelta(hours=12))
def extract(night: Tonight) -> Report:
    """Copy the day out of the shop, with older days whose rows changed; the first time, the whole history."""
    from segmentation.extract.extract_day import extract_day

    return report(extract_day(night.settings, night.day, night.source_url, night.now, night.warehouse))


@step()
def validate(night: Tonight) -> Report:
    """Set bad rows aside; stop the run if the day as a whole cannot be trusted."""
    from segmentation.validate.validate_day import validate_day

    asked = (night.run_id, night.now, night.accept_unusual_day)
    return report(validate_day(night.settings, night.day, night.warehouse, *asked))


@step()
def features(night: Tonight) -> Report:
    """Describe each customer as of the day's end; settle which earlier night this one builds on."""
    from segmentation.encoder.encode_day import can_continue
    from segmentation.features.build_features import build_features

    base = night.find_base()
    return report(build_features(night.settings, night.day, can_continue(night.settings, base)), base=base)


@step()
def encode(night: Tonight, built: Report) -> Report:
    """Train the encoder, and foresee the next weeks of each customer."""
    from segmentation.encoder.encode_day import encode_day

    return report(encode_day(night.settings, night.day, base_of(built), night.warehouse, night.run_id))


@step()
def cluster(night: Tonight, built: Report) -> Report:
    """Group the customers by what is foreseen; keep the ids of last night's segments."""
    from segmentation.clusters.recluster import recluster

    return report(recluster(night.settings, night.day, base_of(built), night.search))


@step()
def evaluate(night: Tonight, built: Report, labels: Report) -> Report:
    """Score the segments beside the baselines, and put the night through the gates."""
    from segmentation.evaluate.evaluate_day import evaluate_day

    asked = (labels["segmentation_version"], base_of(built), night.warehouse, night.run_id)
    return report(evaluate_day(night.settings, night.day, *asked))


@step(writes=marts_tables, outlets=[CUSTOMER_SEGMENTS])
def publish(night: Tonight, built: Report, labels: Report, approval: Report) -> Report:
    """Write the tables in one transaction, then the report."""
    from segmentation.pages.night_report import publish_with_report

    asked = labels["segmentation_version"], base_of(built), night.warehouse, night.run_id, night.now, approval["note"]
    return announce(CUSTOMER_SEGMENTS, report(publish_with_report(night.settings, night.day, *asked)), night.day)


@dag(
    dag_id=Path(__file__).stem, description=__doc__.partition("\n")[0], doc_md=__doc__, default_args=DEFAULTS,
    schedule=after_each_day(settings()), start_date=BEGINNING, end_date=end_of_schedule(settings()), catchup=False,
    max_active_runs=3, is_paused_upon_creation=False, tags=["segmentation", "nightly"],
    params=FORM, deadline=PUBLISHED_IN_TIME,
)  # fmt: skip
def nightly() -> None:
    """Wire the night."""
    verdict = evaluate(built := features(), labels := cluster(built))
    approval = AskIfHeld(task_id=APPROVAL_TASK, built=built, verdict=verdict)
    begun = WaitForSource(task_id=FIRST_TASK, approval_task=APPROVAL_TASK, last_task=LAST_TASK), extract()
    published = with_report(publish(built, labels, approval.output))
    chain(*begun, with_data_docs(validate()), built, encode(built), labels, verdict, approval, published)


nightly()
