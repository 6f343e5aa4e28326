"""Describe some customers as of the end of today, by the night's own queries, from the lake and the rows it lacks.

A lake of these customers alone is laid out in a scratch folder, one file per table, and the features step's code runs
on it: what the next night would read of them, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from segmentation.calendar import day_interval
from segmentation.catalog import (
    CHECKED,
    CUSTOMERS,
    DAILY_TABLES,
    EVENTS,
    FEATURES,
    ORDER_ITEMS,
    ORDERS,
    PRODUCTS,
    RATES,
    VOID_STATUSES,
)
from segmentation.config import Settings
from segmentation.features.as_of import describe_customers, list_no_order
from segmentation.features.build_features import bucket_folder
from segmentation.features.history import History, load_bucket, open_database, open_day, spread_history
from segmentation.intraday.read_changes import Changes
from segmentation.lake import Lake

if TYPE_CHECKING:
    import duckdb

_SQL = Path(__file__).parent
#: Table -> the key by which the lake's rows go out of date.
_FETCHED = {ORDERS: "order_id", EVENTS: "event_id"}


@dataclass(frozen=True)
class BroughtForward:
    """Customers as of the end of today.

    Attributes
    ----------
    settings
        Those of the night, but for its lake: the scratch one, with `features` of ``day``.
    day
        Today.
    folder
        The files ``static``, ``timeline`` and ``categories`` of the customers who have ordered.
    no_order
        Those who have not, as text.
    """

    settings: Settings
    day: date
    folder: Path
    no_order: list[str]


@contextmanager
def brought_forward(
    settings: Settings, changes: Changes, customers: pa.Array, last_day: date, today: date
) -> Iterator[BroughtForward]:
    """Describe customers as of the end of ``today``; the scratch files are there inside the block.

    Parameters
    ----------
    settings : Settings
        All settings.
    changes : Changes
        What the lake lacks.
    customers : pyarrow.Array
        Whom to describe, in the lake's type, without nulls. Who shares an order with them is described in part.
    last_day : date
        Newest checked day of the lake.
    today : date
        Business day.

    Raises
    ------
    MissingRate
        If amounts are converted to one currency and an order has no usable rate.
    LakeFull
        If the disk is full.
    """
    lake = settings.lake
    home = lake.scratch / "intraday"
    # what a killed run left
    lake.remove(home)
    (home / "spread").mkdir(parents=True)
    one_bucket = settings.features.model_copy(update={"buckets": 1})
    theirs = settings.apart(home, features=one_bucket)
    try:
        with open_database(settings, home) as connection:
            _lay_out(connection, lake, theirs.lake, changes, customers, last_day, today)
            history = spread_history(connection, theirs, today, home / "spread")
            history = _of_the_shop(connection, settings, history, last_day, today)
            open_day(connection, theirs, history)
            load_bucket(connection, theirs, history, 0)
            tables = describe_customers(connection, theirs, history, today)
            folder = theirs.lake.path(FEATURES, day=today, bucket=bucket_folder(0))
            for name, table in tables.items():
                theirs.lake.write_table(table, folder / f"{name}.parquet")
            no_order = list_no_order(connection, theirs, history, today)["customer_id"].to_pylist()
        yield BroughtForward(theirs, today, folder, no_order)
    finally:
        lake.remove(home)


def _lay_out(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    scratch: Lake,
    changes: Changes,
    customers: pa.Array,
    last_day: date,
    today: date,
) -> None:
    """Write the checked rows of the customers, old ones and new ones, as files of today."""
    connection.from_arrow(pa.table({"customer_id": customers})).create("wanted")
    for table, rows in changes.good.items():
        connection.from_arrow(rows).create_view(f"new_{table}")
    for table, key in _FETCHED.items():
        if table in changes.fetched:
            connection.from_arrow(pa.table({key: changes.fetched[table].drop_null()})).create_view(f"fetched_{table}")
    for table in (*DAILY_TABLES, CUSTOMERS):
        if table not in changes.good:
            continue
        target = scratch.rows_file(CHECKED, table, today)
        target.parent.mkdir(parents=True)
        files = _files(lake, table, last_day)
        if table == ORDERS:
            connection.execute(_query("find_their_orders", table, files), {table: files} if files else None)
        rows = connection.sql(_query(f"select_{table}", table, files), params={table: files} if files else None)
        rows.write_parquet(str(target), compression="snappy")
    for table in (PRODUCTS, RATES):
        if table in changes.good:
            scratch.write_table(changes.good[table], scratch.rows_file(CHECKED, table, today))


def _files(lake: Lake, table: str, last_day: date) -> list[str]:
    """List the lake's checked files of a table up to its newest day; of a snapshot only that day's."""
    days = [last_day] if table == CUSTOMERS else [day for day in lake.days(CHECKED, table) if day <= last_day]
    return [str(file) for day in days if (file := lake.rows_file(CHECKED, table, day)).exists()]


def _query(name: str, table: str, files: list[str]) -> str:
    """Return a query; a table that the lake has no files of stands as the new rows' columns without a row."""
    text = _load(name)
    return text if files else re.sub(r"read_parquet\([^)]*\)", f"(from new_{table} limit 0)", text)


def _of_the_shop(
    connection: duckdb.DuckDBPyConnection, settings: Settings, history: History, last_day: date, today: date
) -> History:
    """Let the shop as a whole say since when there are orders, and whether there are events and lines.

    A day's file holds the rows of that day, so the first file with one has the first one.
    """
    end = day_interval(today, settings.timezone).end

    def first(name: str, table: str, **values: Any) -> Iterator[datetime]:
        for file in _files(settings.lake, table, last_day):
            found = connection.execute(_load(name), {"file": file, **values}).fetchone()
            if found and found[0] is not None:
                yield found[0]

    orders = first("find_first_order", ORDERS, void=list(VOID_STATUSES), end=end)
    events = first("find_first_visit", EVENTS)
    lines = (pq.read_metadata(file).num_rows for file in _files(settings.lake, ORDER_ITEMS, last_day))
    return replace(
        history,
        first_order=next(orders, history.first_order),
        first_event=next(events, history.first_event),
        items_known=history.items_known or any(lines),
    )


def _load(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text()
