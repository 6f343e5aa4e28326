"""A night that a gate holds: labels stay, and customers who came since get one from the segments that are served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine, func, select

from segmentation import runs
from segmentation.catalog import NIGHT
from segmentation.clusters.label_newcomers import label_newcomers
from segmentation.config import Settings
from segmentation.publish.consent import read_consent
from segmentation.publish.publish_night import begin_publication, copy_labels, run_file
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.runs import PublishedNight
from segmentation.warehouse import customer_segments


@dataclass(frozen=True)
class HoldResult:
    """What is served while a night is held.

    Attributes
    ----------
    newcomers : int
        Customers who got a provisional label.
    message : str
        Why the night is held, and what is served, in words.
    """

    newcomers: int
    message: str


def hold_night(
    settings: Settings,
    day: date,
    reasons: Sequence[str],
    base: PublishedNight | None,
    warehouse: Engine,
    run_id: str,
    now: datetime,
) -> HoldResult:
    """Enter a night as held, and label who came since the published night by its model and segments.

    The labels of all others stay as they are. Nobody is labelled if the held night is the first one, or a later one is
    published. The next publication replaces provisional labels. Holding a night again changes nothing.

    Parameters
    ----------
    settings : Settings
        All settings; the day's features and the published night's segments are read.
    day : date
        Business day.
    reasons : sequence of str
        What the gates found, see `evaluate_day`.
    base : PublishedNight or None
        The published night that the held one built on.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    run_id : str
        Key in `ops.runs`.
    now : datetime
        The present instant, timezone-aware.

    Returns
    -------
    HoldResult

    Raises
    ------
    MissingInput
        If the day's features are not in the lake.
    LedgerBehind
        If the published night's segments are not in the lake.
    DatabaseUnreachable, LoginRefused, PermissionMissing, WarehouseNotReady, WarehouseBusy, WarehouseFull
        If the warehouse refuses.
    """
    # first of all, so that whatever fails below, the ledger says why there is nothing new
    runs.hold_run(warehouse, run_id, reasons, now)
    newcomers = _label_newcomers(settings, day, base, warehouse) if base else 0
    served = f"Served are the labels of {base.business_day}" if base else "Nothing was published before"
    if newcomers:
        who = "1 new customer has" if newcomers == 1 else f"{newcomers:,} new customers have"
        served += f"; {who} a provisional label from its model and segments"
    message = f"{' '.join(reasons)} {served}."
    runs.hold_run(warehouse, run_id, [message], now)
    return HoldResult(newcomers, message)


def _label_newcomers(settings: Settings, day: date, base: PublishedNight, warehouse: Engine) -> int:
    import duckdb

    if not _is_newest(warehouse, base):
        return 0
    labels = label_newcomers(settings, day, base).assign(taste_id=None)
    with duckdb.connect() as duck:
        duck.from_df(labels.astype({"taste_id": "Int32"})).create_view("labels")
        read_consent(duck, settings, day)
        with named_warehouse_errors(warehouse), warehouse.begin() as connection:
            begin_publication(connection, settings)
            # now that nobody else can publish
            if runs.newest_published(connection) != base.business_day:
                return 0
            copy_labels(connection, duck)
            run_file(
                connection,
                "replace_provisional.sql",
                day=day,
                as_of=base.business_day,
                model_version=base.model_version,
            )
            rows = (
                select(func.count())
                .select_from(customer_segments)
                .where(customer_segments.c.provisional, customer_segments.c.source == NIGHT)
            )
            return int(connection.scalar(rows) or 0)


def _is_newest(warehouse: Engine, base: PublishedNight) -> bool:
    with named_warehouse_errors(warehouse), warehouse.connect() as connection:
        return runs.newest_published(connection) == base.business_day
