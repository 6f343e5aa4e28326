"""One night without Airflow: the same steps in the same order, for debugging and for tests."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from segmentation.config import Settings
from segmentation.connections import engine_for
from segmentation.errors import SegmentationError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from segmentation.runs import PublishedNight

logger = logging.getLogger(__name__)

STEPS = ("extract", "validate", "features", "encode", "cluster", "evaluate", "publish")


@dataclass
class Night:
    """What one night did.

    Attributes
    ----------
    published : bool
        False when the gates held the night.
    seconds : dict of str to float
        Wall time of each step, seconds.
    results : dict of str to object
        The result of each step.
    """

    day: date
    run_id: str
    published: bool = False
    reasons: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    results: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What every step of a night is told; see `run_night`."""

    settings: Settings
    day: date
    source_url: str
    run_id: str
    now: datetime
    search: bool = False
    accept_unusual_day: bool = False


@dataclass
class Handed:
    """What steps hand on to later ones; the DAG's tasks do so through XComs.

    Attributes
    ----------
    base : PublishedNight or None
        The night that this one builds on; settled by `features`.
    segmentation_version : str
        What `cluster` wrote.
    publish : bool
        Whether `evaluate` let the night pass.
    reasons : list of str
        Why it did not.
    """

    base: PublishedNight | None = None
    segmentation_version: str = ""
    publish: bool = False
    reasons: list[str] = field(default_factory=list)


def do_step(step: str, asked: Asked, warehouse: Engine, handed: Handed) -> object:
    """Do one of the `STEPS`; what later steps need is put into ``handed``.

    Parameters
    ----------
    step : str
        One of `STEPS`, or ``hold`` in the place of ``publish``; those before it have been done.
    asked : Asked
        The night.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    handed : Handed
        What the steps before it handed on.

    Returns
    -------
    object
        The step's result.
    """
    from segmentation import runs
    from segmentation.clusters.recluster import recluster
    from segmentation.encoder.encode_day import can_continue, encode_day
    from segmentation.evaluate.evaluate_day import evaluate_day
    from segmentation.extract.extract_day import extract_day
    from segmentation.features.build_features import build_features
    from segmentation.pages.night_report import publish_with_report
    from segmentation.publish.hold_night import hold_night
    from segmentation.validate.validate_day import validate_day

    settings, day, run_id, now = asked.settings, asked.day, asked.run_id, asked.now
    settings.lake.refresh()
    if step == "extract":
        return extract_day(settings, day, asked.source_url, now, warehouse)
    if step == "validate":
        return validate_day(settings, day, warehouse, run_id, now, asked.accept_unusual_day)
    if step == "features":
        handed.base = runs.base_night(warehouse, day)
        return build_features(settings, day, can_continue(settings, handed.base))
    if step == "encode":
        return encode_day(settings, day, handed.base, warehouse, run_id)
    if step == "cluster":
        clustered = recluster(settings, day, handed.base, asked.search)
        handed.segmentation_version = clustered.segmentation_version
        return clustered
    if step == "evaluate":
        judged = evaluate_day(settings, day, handed.segmentation_version, handed.base, warehouse, run_id)
        handed.publish, handed.reasons = judged.publish, list(judged.reasons)
        return judged
    if step == "publish":
        return publish_with_report(settings, day, handed.segmentation_version, handed.base, warehouse, run_id, now)
    if step == "hold":
        return hold_night(settings, day, handed.reasons, handed.base, warehouse, run_id, now)
    raise ValueError(f"a night has no step {step!r}; it has: {', '.join(STEPS)}")


def run_night(
    settings: Settings,
    day: date,
    source_url: str,
    warehouse_url: str,
    *,
    now: datetime | None = None,
    run_id: str | None = None,
    search: bool = False,
    accept_unusual_day: bool = False,
) -> Night:
    """Run every step of one business day in this process.

    Parameters
    ----------
    settings : Settings
        All settings.
    day : date
        Business day.
    source_url, warehouse_url : str
        libpq URLs of the shop (a role that reads) and of the warehouse (`segmentation_publish`).
    now : datetime, optional
        The present instant; the clock by default.
    run_id : str, optional
        Key in `ops.runs`; made from the day and the time by default.
    search : bool
        Search the number of segments anew, although it is not due.
    accept_unusual_day : bool
        Take an empty or unusually large day as it is.

    Returns
    -------
    Night
        Times and results; ``published`` is False when a gate held the night.

    Raises
    ------
    SegmentationError
        The named error of the step that failed. After it, as after any other error, the run is marked failed in
        `ops.runs`.
    """
    from segmentation import runs

    clock = now or datetime.now(UTC)
    run_id = run_id or f"cli__{day}__{clock:%Y%m%dT%H%M%S}"
    night = Night(day, run_id)
    warehouse = engine_for(warehouse_url)
    asked = Asked(settings, day, source_url, run_id, clock, search, accept_unusual_day)
    handed = Handed()
    runs.start_run(warehouse, run_id, day, clock)
    try:
        for name in STEPS:
            step = "hold" if name == "publish" and not handed.publish else name
            began = time.perf_counter()
            night.results[step] = do_step(step, asked, warehouse, handed)
            night.seconds[step] = round(time.perf_counter() - began, 2)
            logger.info("%s %s: %.1f s", day, step, night.seconds[step])
        night.reasons, night.published = handed.reasons, "publish" in night.results
    except Exception as error:
        message = str(error) if isinstance(error, SegmentationError) else f"{type(error).__name__}: {error}"
        # a ledger that cannot be reached must not hide what went wrong
        with contextlib.suppress(Exception):
            runs.fail_run(warehouse, run_id, message, clock)
        raise
    finally:
        warehouse.dispose()
    return night
