"""What a task knows about the night it belongs to, and what it hands on: small, plain, without secrets."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from structlog.contextvars import bind_contextvars

from segmentation.config import Settings, settings
from segmentation_airflow.business_day import business_day
from segmentation_airflow.urls import SOURCE, open_warehouse, url_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from airflow.sdk import Context
    from sqlalchemy import Engine

    from segmentation.runs import PublishedNight

logger = logging.getLogger(__name__)

#: What a task hands to the next ones: counts, versions and figures, JSON-able.
Report = dict[str, Any]


@dataclass(frozen=True)
class Tonight:
    """One run of the nightly DAG, as its tasks see it.

    Attributes
    ----------
    day : date
        The business day.
    run_id : str
        Airflow's run id, the key in `ops.runs`.
    now : datetime
        The present instant, UTC.
    accept_unusual_day, search : bool
        From the form, see the DAG's params.
    """

    settings: Settings
    day: date
    run_id: str
    now: datetime
    accept_unusual_day: bool
    search: bool

    @property
    def source_url(self) -> str:
        """URL of the shop's Postgres."""
        return url_of(SOURCE)

    @cached_property
    def warehouse(self) -> Engine:
        """Engine of the warehouse, see `open_warehouse`."""
        return open_warehouse()

    def start(self) -> None:
        """Enter the run in `ops.runs` as running."""
        from segmentation.runs import start_run

        start_run(self.warehouse, self.run_id, self.day, self.now)

    def find_base(self) -> PublishedNight | None:
        """Find the nearest published day before this one: ids, hysteresis and warm start come from it."""
        from segmentation.runs import base_night

        base = base_night(self.warehouse, self.day)
        logger.info("Builds on %s.", base.business_day if base else "nothing: this is the first night")
        return base


def tonight(context: Context | None = None) -> Tonight:
    """Return the night of the running task.

    Raises
    ------
    InvalidSetting
        If the run's business day is no date.
    """
    context = context or get_current_context()
    run, params = context["dag_run"], context["params"]
    configured, now = settings(), datetime.now(UTC)
    # judged by the run's own time, not the task's: all tasks of a run, cleared ones too, have the same day
    day = business_day(run.partition_key, params["business_day"], run.logical_date, run.run_after, configured.timezone)
    # Airflow's log writes these with every line from here on
    bind_contextvars(business_day=day.isoformat(), run_id=run.run_id)
    return Tonight(
        settings=configured,
        day=day,
        run_id=run.run_id,
        now=now,
        accept_unusual_day=params["accept_unusual_day"],
        search=params["search"],
    )


def report(result: DataclassInstance, **more: DataclassInstance | None) -> Report:
    """Write a step's result into the task's log and return it as plain values, small enough for an XCom.

    Parameters
    ----------
    result : dataclass
        What the step returned: counts, versions, figures, never rows.
    **more : dataclass or None
        Further values to hand on under these names.

    Returns
    -------
    Report
        Dates and paths as text.
    """
    values = asdict(result) | {name: asdict(value) if value else None for name, value in more.items()}
    plain: Report = json.loads(json.dumps(values, default=str))
    logger.info("%s: %s", type(result).__name__, "; ".join(f"{name} {value}" for name, value in plain.items()))
    return plain


def base_of(features: Report) -> PublishedNight | None:
    """Return the base that the features task settled on: one for the whole run, whatever is published meanwhile."""
    from segmentation.runs import PublishedNight

    base = features["base"]
    return PublishedNight(**base | {"business_day": date.fromisoformat(base["business_day"])}) if base else None
