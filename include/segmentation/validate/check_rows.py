"""Check the rows of a batch of days of one table, and note for each row which promises it breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from segmentation.calendar import day_interval
from segmentation.catalog import CUSTOMERS, EVENTS, ORDER_ITEMS
from segmentation.extract.contract import KEYS, TIME_COLUMNS
from segmentation.validate import suites
from segmentation.validate.findings import DayFigures, shown, shown_keys
from segmentation.validate.frames import Rows, frame_of, join_days, order_states_of, repeats
from segmentation.validate.release import BETWEEN_REASONS, Release, keys_of, still_set_aside
from segmentation.validate.suite_runs import Kept, run_suite

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.data_context import AbstractDataContext

# what the shop sends, and what answers it, comes in bursts: it says nothing about whether the day is complete
_SENT_BY_THE_SHOP = ("campaign_sent", "campaign_open", "campaign_click", "coupon_redeemed")
_SHOWN_TYPES = 5


@dataclass
class CheckedTable:
    """A batch of days of one table, checked.

    Attributes
    ----------
    name : str
        Contract name.
    days : list of date
        Business days of the batch.
    files : list of pyarrow.Table
        Per day, its raw file.
    rows : Rows
        All of them together.
    promises : list of Kept
        Promises whose broken rows are set aside, each with the places of the rows to set aside.
    notes : list of Kept
        Promises that are only reported.
    broken : numpy.ndarray
        Per row of the batch a bit mask (int64): bit i is set where it breaks ``promises[i]``.
    result : ExpectationSuiteValidationResult
        Great Expectations' own result, without values.
    """

    name: str
    days: list[date]
    files: list[pa.Table]
    rows: Rows
    result: ExpectationSuiteValidationResult
    promises: list[Kept] = field(default_factory=list)
    notes: list[Kept] = field(default_factory=list)
    broken: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def broken_on(self, position: int) -> np.ndarray:
        """Return the bit masks of one day's rows."""
        start = sum(file.num_rows for file in self.files[:position])
        return self.broken[start : start + self.files[position].num_rows]

    def reason(self, mask: int) -> str:
        """Put a bit mask into words; several reasons are joined by ``; ``."""
        reasons = [promise.reason for bit, promise in enumerate(self.promises) if mask >> bit & 1]
        return BETWEEN_REASONS.join(dict.fromkeys(reasons))


def check_rows(
    context: AbstractDataContext,
    name: str,
    days: Sequence[date],
    files: Sequence[pa.Table],
    timezone: str,
    orders: CheckedTable | None = None,
    *,
    is_converted: bool = False,
    releases: Sequence[Release] = (),
) -> CheckedTable:
    """Run a table's row suite on a batch of days.

    Parameters
    ----------
    context
        Ephemeral Great Expectations context.
    name : str
        Contract name of the table.
    days : sequence of date
        Business days of the batch.
    files : sequence of pyarrow.Table
        Per day, its raw file, columns as the contract.
    timezone : str
        IANA name of the shop's timezone.
    orders : CheckedTable, optional
        The orders of the same days; needed for order items.
    is_converted : bool
        Whether amounts are converted to one currency, so that orders may be in several.
    releases : sequence of Release
        Rows that somebody declared right.
    """
    rows = join_days(name, files)
    intervals = [day_interval(day, timezone) for day in days]
    states = None
    if name == ORDER_ITEMS and orders is not None:
        states = order_states_of(rows, orders.rows, orders.broken != 0)
    run = run_suite(context, suites.row_suite(name, is_converted=is_converted), frame_of(rows, intervals, states))
    table = CheckedTable(name, list(days), list(files), rows, run.result)
    table.broken = np.zeros(rows.data.num_rows, np.int64)
    for kept in run.kept:
        if kept.level == "note":
            table.notes.append(kept)
            continue
        if releases and suites.can_be_released(name, kept.reason):
            day_of_row = {place: days[rows.days[place]] for place in kept.places.tolist()}
            kept = kept.at(still_set_aside(name, rows.data, kept.places, kept.reason, day_of_row, list(releases)))
        if kept.reason == suites.SAME_KEY_AGAIN:
            # every suite has this promise after those on single rows, so a good row is kept before a bad one
            kept = kept.at(repeats(rows, kept.places, table.broken != 0))
        table.broken[kept.places] |= 1 << len(table.promises)
        table.promises.append(kept)
    return table


def observed(table: CheckedTable, kept: Kept) -> str:
    """Say which rows break a promise, by their keys; for event types by the types. A customer is not named."""
    if not len(kept.places):
        return ""
    if table.name == CUSTOMERS:
        return "customers are not named here: `segmentation quarantine show` has the rows"
    if kept.column == "event_type":
        types = pc.value_counts(table.rows.data.column("event_type").take(pa.array(kept.places))).to_pylist()
        common = sorted((-pair["counts"], shown(pair["values"])) for pair in types)[:_SHOWN_TYPES]
        return "for example " + ", ".join(f"{name} ({-count})" for count, name in common)
    return "for example " + ", ".join(keys_at(table, kept.places))


def keys_at(table: CheckedTable, places: np.ndarray) -> list[str]:
    """Return up to ten keys of rows, in file order, as text that may be shown; none of customers: they are people."""
    if table.name == CUSTOMERS:
        return []
    some = pa.array(np.sort(places)[:10])
    return shown_keys(keys_of(table.name, table.rows.data.select(KEYS[table.name]).take(some)))


def figures_of(table: CheckedTable, position: int) -> DayFigures:
    """Return one day of a checked table in figures."""
    start = sum(file.num_rows for file in table.files[:position])
    masks = table.broken_on(position)
    again = next(bit for bit, kept in enumerate(table.promises) if kept.reason == suites.SAME_KEY_AGAIN)
    repeated = masks >> again & 1 == 1
    lone = np.zeros(len(masks), dtype=bool)
    if table.name == ORDER_ITEMS:
        lone = table.files[position].column(TIME_COLUMNS[ORDER_ITEMS]).is_null().to_numpy()
    reasons: dict[str, int] = {}
    for mask, count in zip(*np.unique(masks[masks != 0], return_counts=True), strict=True):
        reasons[table.reason(int(mask))] = int(count)
    return DayFigures(
        table.name,
        table.days[position],
        rows=len(masks),
        set_aside=int(np.count_nonzero(masks)),
        repeated=int(np.count_nonzero(repeated & ~lone)),
        lone=int(np.count_nonzero(lone & (masks != 0))),
        set_aside_keys=keys_at(table, start + np.flatnonzero((masks != 0) & ~lone)),
        repeated_keys=keys_at(table, start + np.flatnonzero(repeated & ~lone)),
        reasons=reasons,
        volume=volume_of(table.name, table.files[position]),
    )


def volume_of(name: str, file: pa.Table) -> int:
    """Return how many rows of a raw file tell how complete its day is; of events, not what the shop sends."""
    if name != EVENTS:
        return file.num_rows
    sent = pc.is_in(file.column("event_type"), pa.array(_SENT_BY_THE_SHOP, file.schema.field("event_type").type))
    return file.num_rows - (pc.sum(sent).as_py() or 0)
