"""Nightly customer segmentation: one business day of orders and clicks in, segment tables out.

**If it fails:** nothing half-done is visible and marketing keeps the last published labels; the task's log, and
`message` in `ops.runs`, say what to do. A skipped `publish` was held by a quality gate; the reasons are there, too.

**May I rerun it?** Yes: any task, any day, any number of times, in any order. Clear the failed task with what
is downstream of it; the same source gives the same result. A later day that built on one that changed is
marked stale in `ops.runs`, beside the backfill command that brings it forward.

**Business day** = partition key; scheduled after midnight for the day before. A range of days:
`airflow backfill create --dag-id segmentation_nightly --from-date 2017-10-01 --to-date 2017-10-07`

Reads connection `segmentation_source` (a role that only reads). Writes the lake, the models, the Data Docs and,
through connection `segmentation_warehouse`, `marts.*` and `ops.*`. Owner: data engineering. Runbook: `docs/RUNBOOK.md`.
"""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import Param, chain, dag

from segmentation.config import settings
from segmentation_airflow.assets import CUSTOMER_SEGMENTS, announce
from segmentation_airflow.links import with_data_docs, with_report
from segmentation_airflow.schedule import BEGINNING, after_each_day, end_of_schedule
from segmentation_airflow.step import DEFAULTS, Report, step
from segmentation_airflow.tonight import Tonight, base_of, report
from segmentation_airflow.wait import WaitForSource

BUSINESS_DAY = Param(
    None, type=["null", "string"], format="date", title="Business day", section="Which day",
    description="Day to run, in the shop's timezone. Empty: the partition key or logical date, else yesterday.",
)  # fmt: skip
ACCEPT_UNUSUAL_DAY = Param(
    False, type="boolean", title="Accept an unusual day", section="Exceptions",
    description="Take the day as it is although it is empty, or far smaller or larger than usual.",
)  # fmt: skip
SEARCH = Param(
    False, type="boolean", title="Search the segments anew", section="Exceptions",
    description="Look for the best number of segments tonight, although the weekly search is not due.",
)  # fmt: skip


@step(execution_timeout=timedelta(hours=12))
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
    """Score the segments beside the baselines, and pass or hold the night."""
    from segmentation.evaluate.evaluate_day import evaluate_day

    asked = (labels["segmentation_version"], base_of(built), night.warehouse, night.run_id)
    return report(evaluate_day(night.settings, night.day, *asked))


@step(outlets=[CUSTOMER_SEGMENTS])
def publish(night: Tonight, built: Report, labels: Report, verdict: Report) -> Report:
    """Write the tables in one transaction, then the report, unless a gate holds the night."""
    from segmentation.pages.night_report import publish_with_report

    night.require_passed(verdict)
    asked = (labels["segmentation_version"], base_of(built), night.warehouse, night.run_id, night.now)
    return announce(CUSTOMER_SEGMENTS, report(publish_with_report(night.settings, night.day, *asked)), night.day)


@dag(
    dag_id=Path(__file__).stem, description=__doc__.partition("\n")[0], doc_md=__doc__, default_args=DEFAULTS,
    schedule=after_each_day(settings()), start_date=BEGINNING, end_date=end_of_schedule(settings()), catchup=False,
    max_active_runs=1, is_paused_upon_creation=False, tags=["segmentation", "nightly"],
    params={"business_day": BUSINESS_DAY, "accept_unusual_day": ACCEPT_UNUSUAL_DAY, "search": SEARCH},
)  # fmt: skip
def nightly() -> None:
    """Wire the night."""
    begun = WaitForSource(task_id="wait_for_source", last_task="publish"), extract(), with_data_docs(validate())
    verdict = evaluate(built := features(), labels := cluster(built))
    chain(*begun, built, encode(built), labels, verdict, with_report(publish(built, labels, verdict)))


nightly()
