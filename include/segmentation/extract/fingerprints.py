"""What a day's rows look like, told from the source or from fetched rows: if the two differ, the day changed."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from segmentation.calendar import day_interval, days_between
from segmentation.catalog import ORDER_ITEMS, ORDERS
from segmentation.extract.contract import CHANGE_COLUMNS
from segmentation.extract.inspect_source import SourceLayout
from segmentation.extract.source import Source, day_literals, load_sql

_LARGEST_AMOUNT = 1e300
#: Table -> its number of rows, and where it has them the newest change (microseconds since 1970) and the whole cents.
Fingerprint = dict[str, dict[str, Any]]


def fingerprint_of(rows: Mapping[str, pa.Table]) -> Fingerprint:
    """Describe one day's fetched rows.

    Parameters
    ----------
    rows : mapping
        Daily table -> the day's rows, as they lie in the lake (order lines without an order left out).

    Returns
    -------
    dict
    """
    return {table: _describe(table, found) for table, found in rows.items()}


def source_fingerprints(
    source: Source, layout: SourceLayout, first: date, last: date, timezone: str
) -> dict[date, Fingerprint]:
    """Describe the source's rows of every day from ``first`` to ``last``, by one grouped query per daily table.

    Parameters
    ----------
    source, layout
        The open source and how to read it.
    first, last : date
        Business days, both included.
    timezone : str
        IANA name of the shop's timezone.

    Returns
    -------
    dict
        Day -> what `fingerprint_of` would say about its rows.
    """
    days = list(days_between(first, last))
    starts = [day_interval(day, timezone).start for day in days]
    tables = [table for table in (*CHANGE_COLUMNS, ORDER_ITEMS) if table in layout.tables]
    described: dict[date, Fingerprint] = {day: {table: _describe(table, None) for table in tables} for day in days}
    for table in tables:
        sql = load_sql(f"count_{table}").format(
            **{name: found.subquery for name, found in layout.tables.items()}, **day_literals(days, timezone)
        )
        found: dict[date, list[dict[str, Any]]] = {}
        for part in source.query(sql, table).to_pylist():
            found.setdefault(days[bisect.bisect_right(starts, part["since"]) - 1], []).append(part)
        for day, parts in found.items():
            described[day][table] = _added(table, parts)
    return described


def _describe(table: str, rows: pa.Table | None) -> dict[str, Any]:
    """Describe fetched rows (None: no rows)."""
    described: dict[str, Any] = {"rows": rows.num_rows if rows is not None else 0}
    if table in CHANGE_COLUMNS:
        changed = rows[CHANGE_COLUMNS[table]].cast(pa.int64()) if rows is not None else pa.array([], pa.int64())
        described["changed_us"] = pc.max(changed).as_py()
    if table == ORDERS:
        amounts = rows["total_amount"].drop_null() if rows is not None else pa.array([], pa.float64())
        values = np.asarray(amounts, dtype=np.float64)
        # as in count_orders.sql: too large counts as infinite, and infinite amounts of both signs add up to NaN
        with np.errstate(invalid="ignore", over="ignore"):
            cents = np.where(np.abs(values) < _LARGEST_AMOUNT, np.round(values * 100), values * np.inf)
            described["cents"] = _as_text(float(cents.sum()) if len(cents) else None)
    return described


def _added(table: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up the parts of a day that the source counted."""
    described: dict[str, Any] = {"rows": sum(part["rows"] for part in parts)}
    if table in CHANGE_COLUMNS:
        changed = [part["changed_us"] for part in parts if part["changed_us"] is not None]
        described["changed_us"] = max(changed, default=None)
    if table == ORDERS:
        cents = [part["cents"] for part in parts if part["cents"] is not None]
        described["cents"] = _as_text(float(sum(cents)) if cents else None)
    return described


def _as_text(cents: float | None) -> str:
    # text, because an amount may be NaN, which equals nothing, not even itself; 0.0 makes -0.0 a plain zero
    return "none" if cents is None else str(cents + 0.0)
