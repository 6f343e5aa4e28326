"""When the labels of a night are due: Airflow looks at the clock, and calls `tell_if_late` when it is past that."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference, DeadlineAlert

from segmentation.calendar import shop_timezone
from segmentation.config import settings
from segmentation_airflow.alerts import tell_if_late

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class LabelsDue(BaseDeadlineReference):
    """The hour after the business day by which it has to be published; for scheduled runs only.

    Airflow's own references count from when a run was queued, which is an hour off on days when the clocks change, and
    would call every backfill of a past day late.
    """

    required_kwargs = {"dag_id", "run_id"}  # noqa: RUF012

    def _evaluate_with(self, *, session: Session, dag_id: str, run_id: str, **_: Any) -> datetime | None:
        from airflow.models import DagRun
        from sqlalchemy import select

        asked = select(DagRun.partition_key, DagRun.run_type).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        run = session.execute(asked).one_or_none()
        if run is None or run.run_type != "scheduled" or not run.partition_key:
            return None
        return due(date.fromisoformat(run.partition_key), settings().alerts.late_hour, settings().timezone)


def due(day: date, hour: int, timezone: str) -> datetime:
    """Return ``hour`` o'clock of the day after a business day, in the shop's timezone.

    Examples
    --------
    >>> due(date(2026, 3, 28), 6, "Europe/Berlin").isoformat()
    '2026-03-29T04:00:00+00:00'
    """
    return datetime.combine(day + timedelta(days=1), time(hour), tzinfo=shop_timezone(timezone)).astimezone(UTC)


#: The nightly DAG's deadline.
PUBLISHED_IN_TIME = DeadlineAlert(LabelsDue(), interval=timedelta(0), callback=SyncCallback(tell_if_late), name="late")
