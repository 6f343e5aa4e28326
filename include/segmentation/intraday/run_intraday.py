"""Bring the labels of those who did something since the night forward, from the shop's rows to `marts`."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Engine, select

from segmentation import runs
from segmentation.calendar import business_day_of, day_interval
from segmentation.catalog import CHECKED
from segmentation.config import Settings
from segmentation.connections import sole_holder
from segmentation.errors import CannotBringForward
from segmentation.intraday.bring_forward import brought_forward
from segmentation.intraday.place_customers import place_customers, require_model
from segmentation.intraday.publish_labels import publish_labels
from segmentation.intraday.read_changes import Changes, read_changes
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.timing import timed
from segmentation.warehouse import intraday

if TYPE_CHECKING:
    from segmentation.runs import PublishedNight

logger = logging.getLogger(__name__)

_LOCK = "segmentation:intraday"


@dataclass(frozen=True)
class IntradayResult:
    """What one run within the day did.

    Attributes
    ----------
    base_day : str
        Night whose model and segments were used, ISO.
    touched : int
        Customers of whom something was heard since the last run.
    labelled : int
        Of these, who has a label now that takes it in.
    moved : int
        Of these, who is in another segment than at night.
    set_aside : dict of str to int
        Table -> rows that break a promise and were not used.
    skipped : str
        Why nothing was published, in words; '' if it was, or there was nothing to publish.
    seconds : dict of str to float
        Wall time by part.
    """

    base_day: str = ""
    touched: int = 0
    labelled: int = 0
    moved: int = 0
    set_aside: dict[str, int] = field(default_factory=dict)
    skipped: str = ""
    seconds: dict[str, float] = field(default_factory=dict)


def run_intraday(settings: Settings, source_url: str, warehouse: Engine, run_id: str, now: datetime) -> IntradayResult:
    """Label customers who did something since the last run, by the newest published night's model and segments.

    The label is that of the end of today, were nothing more to happen: what the next night would give, did it use the
    same model and segments. Nothing in the lake changes. The same rows twice change nothing; a killed run leaves
    nothing behind. The histories stay the nights', and the next night replaces these labels.

    Parameters
    ----------
    settings : Settings
        All settings.
    source_url : str
        The shop's Postgres; the role needs no more than to read.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    run_id : str
        Kept in `ops.intraday`.
    now : datetime
        The present instant, timezone-aware.

    Returns
    -------
    IntradayResult
        ``skipped`` says why if another run is at work, or a night was published meanwhile.

    Raises
    ------
    CannotBringForward
        If there is no published night, or not of late, or its model, segments or layout are not today's, or too many
        customers or bad rows have come.
    LedgerBehind
        If that night's segments are not in the lake.
    InvalidMapping, MissingTable, MissingColumn, ChangedType, PermissionMissing, MissingPrivacyKey, OtherPrivacyKey
        If the source cannot be read; see `extract_day`.
    LoginRefused, DatabaseUnreachable, SourceTooSlow, UnreadableValue, MissingRate, WarehouseNotReady
        As the night's steps do.
    LakeFull, LakeUnreachable, LakeRefused
        As the night's steps do.
    """
    seconds: dict[str, float] = {}
    today = business_day_of(now, settings.timezone)
    with named_warehouse_errors(warehouse), sole_holder(warehouse, _LOCK) as alone:
        if not alone:
            return IntradayResult(skipped="another run within the day is at work")
        settings.lake.refresh()
        base = _base(settings, warehouse, today)
        last_day = _last_checked_day(settings, today)
        seen_until = _seen_until(settings, warehouse, base)
        with timed(seconds, "read"):
            changes = read_changes(settings, source_url, warehouse, last_day, today, now)
        new = _since(changes, seen_until, timedelta(minutes=settings.intraday.overlap_minutes))
        base_day = base.business_day.isoformat()
        if not len(new):
            return IntradayResult(base_day, set_aside=changes.set_aside, seconds=seconds)
        if len(new) > (most := settings.intraday.most_customers):
            raise CannotBringForward(
                f"{len(new):,} customers have changed since the last run, more than {most:,}",
                "The night takes them all in; or raise SEGMENTATION_INTRADAY__MOST_CUSTOMERS.",
            )
        began = time.perf_counter()
        with brought_forward(settings, changes, new["customer_id"].combine_chunks(), last_day, today) as forward:
            seconds["features"] = time.perf_counter() - began
            with timed(seconds, "labels"):
                labels = place_customers(settings, forward, base)
            with timed(seconds, "publish"):
                published = publish_labels(settings, forward, labels, new, base, warehouse, run_id, now)
    seconds = {name: round(value, 2) for name, value in seconds.items()}
    if published is None:
        return IntradayResult(base_day, len(new), skipped="a night was published meanwhile", seconds=seconds)
    result = IntradayResult(base_day, len(new), published.labelled, published.moved, changes.set_aside, "", seconds)
    logger.info("%d customers touched, %d labelled, %d moved: %s", len(new), result.labelled, result.moved, seconds)
    return result


def _base(settings: Settings, warehouse: Engine, today: date) -> PublishedNight:
    """Return the newest published night, if its labels can be brought forward."""
    base = runs.base_night(warehouse, today)
    if base is None:
        raise CannotBringForward("no night has been published yet", "Run a night first.")
    age = (today - base.business_day).days
    if age > settings.intraday.oldest_night_days:
        raise CannotBringForward(
            f"the newest published night is of {base.business_day}, {age} days ago", "See why nights are not published."
        )
    require_model(settings, base)
    return base


def _last_checked_day(settings: Settings, today: date) -> date:
    """Return the newest day whose rows the lake has, checked."""
    days = [day for day in settings.lake.day_manifests(CHECKED) if day < today]
    if not days:
        raise CannotBringForward("the lake holds no checked day", "Run a night first.")
    return max(days)


def _seen_until(settings: Settings, warehouse: Engine, base: PublishedNight) -> datetime:
    """Return the instant up to which the labels in `marts` take the shop's rows in."""
    at_night = day_interval(base.business_day, settings.timezone).end
    query = select(intraday.c.through).where(
        intraday.c.base_day == base.business_day, intraday.c.segmentation_version == base.segmentation_version
    )
    with named_warehouse_errors(warehouse), warehouse.connect() as connection:
        through = connection.scalar(query)
    return max(at_night, through) if through else at_night


def _since(changes: Changes, seen_until: datetime, overlap: timedelta) -> pa.Table:
    """Return those of whom something was heard since; with an overlap, for rows become visible late."""
    at = changes.touched["at"]
    return changes.touched.filter(pc.greater_equal(at, pa.scalar(seen_until - overlap, at.type)))
