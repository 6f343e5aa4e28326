"""Figures of segments for readers outside: with noise that hides every single customer, and a ledger of what it cost.

What is protected is one customer: whoever knows everybody else cannot tell from all releases together whether the
customer was there, better than the spent epsilon allows. Each release spends; when the budget is spent, there is none.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, text

from segmentation import runs
from segmentation.catalog import SEGMENTATIONS
from segmentation.config import PrivacySettings, Settings
from segmentation.errors import MissingInput, NotThere, PrivacyBudgetSpent
from segmentation.privacy.noise import add_noise
from segmentation.publish.profiles import night_files
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import privacy_ledger

_SQL = Path(__file__).parent
_LOCK = "segmentation:privacy_ledger"
#: Epsilon is counted in millionths, so that a budget adds up exactly.
SMALLEST_EPSILON = Decimal("0.000001")
#: The figures; each spends a third of a release's epsilon.
_FIGURES = 3


@dataclass(frozen=True)
class Entry:
    """A release as the ledger has it: what was released of which day, by whom, and what it spent."""

    release_id: int
    business_day: date
    epsilon: Decimal
    revenue_bound: int
    orders_bound: int
    released_at: datetime
    released_by: str
    figures: list[dict[str, Any]]


@dataclass(frozen=True)
class Released:
    """Answer to a request.

    Attributes
    ----------
    entry : Entry
        The release.
    is_new : bool
        False if the same had been asked for before: the same figures again, and nothing spent.
    spent, budget : Decimal
        Epsilon of all releases of the last `budget_days`, this one included, and what may be spent.
    """

    entry: Entry
    is_new: bool
    spent: Decimal
    budget: Decimal

    def as_csv(self) -> str:
        """Return the figures as CSV, a row per segment."""
        written = io.StringIO()
        writer = csv.DictWriter(written, ["as_of", *self.entry.figures[0]], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"as_of": self.entry.business_day, **row} for row in self.entry.figures)
        return written.getvalue()


def release_segments(settings: Settings, warehouse: Engine, day: date, epsilon: Decimal, released_by: str) -> Released:
    """Release customers, orders and revenue of 28 days per segment, with noise, and book what that spends.

    Only one request is answered at a time, so two cannot spend the same rest of the budget. What was released is
    kept: the same request again (day, labels, epsilon, bounds) gets the same figures, for whoever draws noise often
    enough can average it away.

    Parameters
    ----------
    settings : Settings
        All settings; budget and bounds are in `privacy`, and labels and features of the day are read from the lake.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    day : date
        A published business day.
    epsilon : Decimal
        What to spend, in steps of `SMALLEST_EPSILON`; the smaller, the more noise.
    released_by : str
        Who asks; kept in the ledger.

    Returns
    -------
    Released

    Raises
    ------
    PrivacyBudgetSpent
        If less is left than `epsilon`.
    NotThere
        If the day is not published.
    MissingInput
        If its labels or features are not in the lake any more.
    DatabaseUnreachable, LoginRefused, PermissionMissing, WarehouseNotReady, WarehouseBusy
        If the warehouse refuses.
    """
    limits = settings.privacy
    with named_warehouse_errors(warehouse), warehouse.begin() as connection:
        timeout = f"{settings.publish.lock_timeout_s}s"
        connection.execute(text("select set_config('lock_timeout', :timeout, true)"), {"timeout": timeout})
        connection.execute(text("select pg_advisory_xact_lock(hashtext(:lock))"), {"lock": _LOCK})
        version = _published_version(connection, day)
        asked = {
            "business_day": day,
            "segmentation_version": version,
            "epsilon": epsilon,
            "revenue_bound": limits.revenue_bound,
            "orders_bound": limits.orders_bound,
        }
        spent = _spent(connection, limits)
        known = connection.execute(_entries().filter_by(**asked)).one_or_none()
        if known:
            return Released(Entry(*known), False, spent, limits.budget)
        if spent + epsilon > limits.budget:
            raise PrivacyBudgetSpent(epsilon, spent, limits.budget, limits.budget_days)
        figures = _noised_figures(settings, day, version, epsilon)
        values = {**asked, "figures": figures, "released_by": released_by}
        number = connection.scalar(insert(privacy_ledger).values(values).returning(privacy_ledger.c.release_id))
        entry = Entry(*connection.execute(_entries().filter_by(release_id=number)).one())
    # only now: what is not booked must not be seen
    return Released(entry, True, (spent + epsilon).normalize(), limits.budget)


def read_ledger(settings: Settings, warehouse: Engine) -> tuple[list[Entry], Decimal]:
    """Return every release, the newest last, and the epsilon that those of the last `budget_days` spent."""
    with named_warehouse_errors(warehouse), warehouse.connect() as connection:
        rows = connection.execute(_entries().order_by(privacy_ledger.c.release_id)).all()
        return [Entry(*row) for row in rows], _spent(connection, settings.privacy)


def _entries() -> Any:
    table = privacy_ledger.c
    return select(
        table.release_id,
        table.business_day,
        table.epsilon,
        table.revenue_bound,
        table.orders_bound,
        table.released_at,
        table.released_by,
        table.figures,
    )


def _spent(connection: Connection, limits: PrivacySettings) -> Decimal:
    table = privacy_ledger.c
    since = func.now() - func.make_interval(0, 0, 0, limits.budget_days)
    total = connection.scalar(select(func.sum(table.epsilon)).where(table.released_at > since))
    return Decimal(total or 0).normalize()


def _published_version(connection: Connection, day: date) -> str:
    table = runs.runs.c
    version = connection.scalar(
        select(table.segmentation_version).where(table.status == runs.PUBLISHED, table.business_day == day)
    )
    if version is None:
        raise NotThere(f"{day} is not published, so there is nothing to release. Nothing was spent.")
    return str(version)


def _noised_figures(settings: Settings, day: date, version: str, epsilon: Decimal) -> list[dict[str, Any]]:
    folder = settings.lake.path(SEGMENTATIONS, day=day, version=version)
    labels, description = folder / "labels.parquet", folder / "segmentation.json"
    if not (labels.exists() and description.exists()):
        raise MissingInput(f"segmentation {version}", day, "Choose a day whose files are still there, or run it again.")
    limits = settings.privacy
    bounds = {"orders_bound": limits.orders_bound, "cents_bound": limits.revenue_bound * 100}
    with night_files(settings, day, labels, None) as duck:
        rows = duck.execute((_SQL / "sum_segments.sql").read_text(), bounds).fetchall()
    sums = {segment: figures for segment, *figures in rows}
    # segments without customers get noise as well: which they are would tell
    names = {
        segment["segment_id"]: segment["name"]
        for segment in json.loads(description.read_text())["segments"]
        if segment["status"] == "active"
    }
    ids = sorted({*names, *sums})
    columns: list[Sequence[int]] = list(zip(*(sums.get(one, [0] * _FIGURES) for one in ids), strict=True))
    customers, orders, cents = (
        add_noise(column, bound, float(epsilon) / _FIGURES)
        for column, bound in zip(columns, (1, *bounds.values()), strict=True)
    )
    return [
        {
            "segment_id": one,
            "segment": names.get(one, ""),
            "customers": customers.values[place],
            "customers_within": customers.within,
            "orders_28d": orders.values[place],
            "orders_28d_within": orders.within,
            "revenue_28d": f"{Decimal(cents.values[place]) / 100:.2f}",
            "revenue_28d_within": f"{Decimal(cents.within) / 100:.2f}",
        }
        for place, one in enumerate(ids)
    ]
