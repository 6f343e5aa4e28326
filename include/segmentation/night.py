"""One night without Airflow: the same steps in the same order, for debugging and for tests."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TypeVar

from segmentation.config import Settings
from segmentation.connections import engine_for, named_errors
from segmentation.errors import SegmentationError

T = TypeVar("T")

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
    from segmentation.clusters.recluster import recluster
    from segmentation.encoder.encode_day import can_continue, encode_day
    from segmentation.evaluate.evaluate_day import evaluate_day
    from segmentation.extract.extract_day import extract_day
    from segmentation.features.build_features import build_features
    from segmentation.pages.night_report import publish_with_report
    from segmentation.publish.hold_night import hold_night
    from segmentation.validate.validate_day import validate_day

    clock = now or datetime.now(UTC)
    run_id = run_id or f"cli__{day}__{clock:%Y%m%dT%H%M%S}"
    night = Night(day, run_id)
    warehouse = engine_for(warehouse_url)

    def step(name: str, call: Callable[[], T]) -> T:
        began = time.perf_counter()
        result = call()
        night.seconds[name] = round(time.perf_counter() - began, 2)
        night.results[name] = result
        logger.info("%s %s: %.1f s", day, name, night.seconds[name])
        return result

    with named_errors("warehouse", warehouse_url):
        runs.start_run(warehouse, run_id, day, clock)
    try:
        step("extract", lambda: extract_day(settings, day, source_url, clock))
        step("validate", lambda: validate_day(settings, day, warehouse, run_id, clock, accept_unusual_day))
        base = runs.base_night(warehouse, day)
        step("features", lambda: build_features(settings, day, can_continue(settings, base)))
        step("encode", lambda: encode_day(settings, day, base, warehouse, run_id))
        clustered = step("cluster", lambda: recluster(settings, day, base, search))
        version = clustered.segmentation_version
        judged = step("evaluate", lambda: evaluate_day(settings, day, version, base, warehouse, run_id))
        night.reasons = list(judged.reasons)
        if judged.publish:
            step("publish", lambda: publish_with_report(settings, day, version, base, warehouse, run_id, clock))
            night.published = True
        else:
            step("hold", lambda: hold_night(settings, day, night.reasons, base, warehouse, run_id, clock))
    except Exception as error:
        message = str(error) if isinstance(error, SegmentationError) else f"{type(error).__name__}: {error}"
        # a ledger that cannot be reached must not hide what went wrong
        with contextlib.suppress(Exception):
            runs.fail_run(warehouse, run_id, message, clock)
        raise
    finally:
        warehouse.dispose()
    return night
