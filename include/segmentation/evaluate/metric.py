"""One figure of a night as `ops.metrics` keeps it, and how figures get there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, Engine, delete, insert

from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import metrics

WAIT_STEP = "wait_for_source"
VALIDATE_STEP = "validate"
CLUSTER_STEP = "cluster"
EVALUATE_STEP = "evaluate"
INTRADAY_STEP = "intraday"

#: What a gate that fails does.
HOLDS = "holds the publication until somebody approves or rejects it"
STOPS = "stops the run before anything is computed from the day"


@dataclass(frozen=True)
class Metric:
    """One row of `ops.metrics`; ``passed`` is None for a figure that is no gate.

    Attributes
    ----------
    consequence : what happens when it fails; '' for a figure that is no gate
    """

    metric: str
    value: float
    scope: str = ""
    threshold: float | None = None
    passed: bool | None = None
    detail: str = ""
    step: str = EVALUATE_STEP
    consequence: str = ""


def store(warehouse: Engine, day: date, run_id: str, steps: Sequence[str], found: Sequence[Metric]) -> None:
    """Replace the day's figures of some steps, in one transaction.

    Parameters
    ----------
    warehouse : Engine
        As `segmentation_publish`.
    day : date
        Business day.
    run_id : str
        Run that measured.
    steps : sequence of str
        Steps whose earlier figures of the day go.
    found : sequence of Metric
        Figures of these steps; one that is not finite is stored as null.

    Raises
    ------
    DatabaseUnreachable, LoginRefused, WarehouseNotReady, PermissionMissing, WarehouseBusy, WarehouseFull
        If the warehouse cannot be written; nothing was.
    """
    with named_warehouse_errors(warehouse), warehouse.begin() as connection:
        store_within(connection, day, run_id, steps, found)


def store_within(connection: Connection, day: date, run_id: str, steps: Sequence[str], found: Sequence[Metric]) -> None:
    """Do the same as `store` in the caller's transaction."""
    rows = [
        {
            "business_day": day,
            "step": m.step,
            "metric": m.metric,
            "scope": m.scope,
            "value": m.value if math.isfinite(m.value) else None,
            "threshold": m.threshold if m.threshold is not None and math.isfinite(m.threshold) else None,
            "passed": m.passed,
            "detail": m.detail,
            "consequence": m.consequence,
            "run_id": run_id,
        }
        for m in found
    ]
    connection.execute(delete(metrics).where(metrics.c.business_day == day, metrics.c.step.in_(steps)))
    if rows:
        connection.execute(insert(metrics), rows)
