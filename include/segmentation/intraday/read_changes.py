"""What the shop has that the lake has not: the rows of today, and older ones that were changed or arrived since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Engine

from segmentation.calendar import day_interval, days_between
from segmentation.catalog import CUSTOMERS, DAILY_TABLES, EVENTS, ORDER_ITEMS, ORDERS, PRODUCTS, RATES, RAW
from segmentation.config import Settings
from segmentation.errors import CannotBringForward
from segmentation.extract.contract import KEYS, TIME_COLUMNS
from segmentation.extract.extract_day import guard_of, rates_sql, without_erased
from segmentation.extract.inspect_source import TIME_TYPE, SourceLayout, inspect_source
from segmentation.extract.mapping import load_mapping
from segmentation.extract.plan_days import CLOCK_SKEW
from segmentation.extract.source import Source, day_literals, load_sql, open_source, quote_time
from segmentation.extract.split_days import split_days

if TYPE_CHECKING:
    from segmentation.validate.check_rows import CheckedTable

_SQL = Path(__file__).parent
#: Columns that say when a row happened, came or changed.
_TIMES = ("ordered_at", "updated_at", "occurred_at", "loaded_at", "created_at")


@dataclass(frozen=True)
class Changes:
    """Rows that the lake does not have yet, without those of erased customers.

    Attributes
    ----------
    good
        Table -> rows that keep every promise, in the lake's types. Daily tables: all since the lake's last day, and
        older ones that changed; products and rates: whole; customers: who came or changed. Tables that the shop lacks
        are left out.
    fetched
        Daily table -> keys of all its rows, bad ones too: what the lake has of these is out of date.
    touched
        Who did something, or had something done: ``customer_id`` (type of the lake), ``at``, instant of the newest such
        row; one row per customer.
    set_aside
        Table -> rows that break a promise; they are not used.
    """

    good: dict[str, pa.Table]
    fetched: dict[str, pa.Array]
    touched: pa.Table
    set_aside: dict[str, int]


def read_changes(
    settings: Settings, source_url: str, warehouse: Engine, last_day: date, today: date, now: datetime
) -> Changes:
    """Read what the lake lacks, in one snapshot of the source, and set bad rows aside as the night does.

    Parameters
    ----------
    settings : Settings
        All settings.
    source_url : str
        The shop's Postgres; the role needs no more than to read.
    warehouse : Engine
        Knows whose erasure was asked for, and which rows were released from quarantine.
    last_day : date
        Newest day that the lake holds, checked.
    today : date
        The business day that ``now`` falls on.
    now : datetime
        The present instant, timezone-aware; rows later than an hour after it are not read.

    Raises
    ------
    CannotBringForward
        If the source is not read as it was on the last day, or too many of today's rows are bad.
    InvalidMapping, MissingTable, MissingColumn, ChangedType, PermissionMissing, MissingPrivacyKey, OtherPrivacyKey
        If the source cannot be read; see `extract_day`.
    LoginRefused, DatabaseUnreachable, SourceTooSlow, UnreadableValue
        If the source does not answer, not in time, or with a value that no type holds.
    """
    mapping = load_mapping(settings.extract.mapping)
    guard = guard_of(settings, mapping, warehouse)
    since = day_interval(last_day, settings.timezone).end
    with open_source(settings.extract, source_url) as source:
        layout = inspect_source(source, mapping, settings.timezone, guard.key_check)
        _require_same_layout(settings, layout, last_day)
        queries = _Queries(settings, layout, since, today, now)
        daily = {
            table: guard.protected(queries.fetch_daily(source, table), layout.tables[table].personal)
            for table in DAILY_TABLES
            if table in layout.tables
        }
        snapshots = {
            table: guard.kept(queries.fetch_snapshot(source, table), layout.tables[table].personal)
            for table in (PRODUCTS, RATES, CUSTOMERS)
            if table in layout.tables
        }
    fetched = {table: rows[KEYS[table][0]].unique() for table, rows in daily.items()}
    daily = without_erased(daily)
    # whatever becomes of the row: a customer whose order is bad now is to be looked at, too
    touched = _touched([daily[table] for table in (ORDERS, EVENTS) if table in daily], snapshots.get(CUSTOMERS), now)
    checked = _check(settings, warehouse, daily, snapshots, today, last_day)
    good = {name: _good_rows(table, layout.tables[name].schema) for name, table in checked.items()}
    set_aside = {name: bad for name, table in checked.items() if (bad := int(np.count_nonzero(table.broken)))}
    return Changes(good, fetched, touched, set_aside)


@dataclass(frozen=True)
class _Queries:
    """The queries of one look at the source, for rows of ``[since, end)`` and older ones changed since."""

    settings: Settings
    layout: SourceLayout
    since: datetime
    today: date
    now: datetime

    @property
    def _end(self) -> datetime:
        """Clocks differ a little; what is later than that is of no business of today's."""
        return min(day_interval(self.today, self.settings.timezone).end, self.now + CLOCK_SKEW)

    @property
    def _days(self) -> list[date]:
        return list(days_between(self.today - timedelta(days=self.settings.extract.late_days), self.today))

    @property
    def _changed_since(self) -> str:
        return quote_time(self.since - timedelta(minutes=self.settings.intraday.overlap_minutes))

    def fetch_daily(self, source: Source, table: str) -> pa.Table:
        """Fetch a daily table's rows, in any order."""
        found = self.layout.tables[table]
        if table == ORDER_ITEMS:
            sql = _load("fetch_changed_items").format(
                orders_fetched=self._changes(ORDERS, "r.order_id, r.ordered_at"),
                order_items=found.subquery,
                columns=", ".join(f"i.{column}" for column in found.columns),
                day_starts=day_literals(self._days, self.settings.timezone)["day_starts"],
            )
        else:
            sql = self._changes(table, ", ".join(f"r.{column}" for column in found.columns))
        return source.query(sql, table).cast(found.schema)

    def _changes(self, table: str, columns: str) -> str:
        found = self.layout.tables[table]
        names = {
            "columns": columns,
            "rows": found.subquery,
            "time": TIME_COLUMNS[table],
            "since": quote_time(self.since),
            "end": quote_time(self._end),
            "floor": quote_time(day_interval(self._days[0], self.settings.timezone).start),
        }
        changed = found.changed_since(self._changed_since)
        late = _load("fetch_late_rows").format(**names, changed=changed) if changed else ""
        return _load("fetch_changes").format(**names, and_late=late)

    def fetch_snapshot(self, source: Source, table: str) -> pa.Table:
        """Fetch products and rates whole, and of the customers who came or changed."""
        found = self.layout.tables[table]
        if table == RATES:
            sql = rates_sql(self.layout, self.today)
        elif table == PRODUCTS:
            sql = load_sql("fetch_products").format(products=found.subquery, columns=", ".join(found.columns))
        else:
            sql = _load("fetch_changed_customers").format(
                customers=found.subquery,
                columns=", ".join(found.columns),
                since=self._changed_since,
                end=quote_time(self._end),
            )
        return source.query(sql, table).cast(found.schema)


def _load(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text()


def _require_same_layout(settings: Settings, layout: SourceLayout, last_day: date) -> None:
    """Make sure that rows of the source and of the lake mean the same."""
    kept = settings.lake.day_manifests(RAW).get(last_day, {})
    if kept.get("layout") != layout.digest:
        raise CannotBringForward(
            f"the source is not read as it was for {last_day}: mapping, column types or timezone have changed",
            "The next night fetches the history anew.",
        )


def _touched(daily: Sequence[pa.Table], customers: pa.Table | None, now: datetime) -> pa.Table:
    """Return the newest instant at which something was heard of each customer."""
    parts = []
    for rows in (*daily, *([customers] if customers is not None else [])):
        # as whole numbers: pyarrow compares times only one by one
        times = [rows[name].cast(pa.int64()) for name in _TIMES if name in rows.column_names]
        parts.append(pa.table({"customer_id": rows["customer_id"], "at": pc.max_element_wise(*times)}))
    newest = pa.concat_tables(parts).drop_null().group_by("customer_id").aggregate([("at", "max")])
    latest = pc.min_element_wise(newest["at_max"], pa.scalar(round(now.timestamp() * 1_000_000), pa.int64()))
    return pa.table({"customer_id": newest["customer_id"], "at": latest.cast(TIME_TYPE)})


def _check(
    settings: Settings,
    warehouse: Engine,
    daily: dict[str, pa.Table],
    snapshots: dict[str, pa.Table],
    today: date,
    last_day: date,
) -> dict[str, CheckedTable]:
    """Run the night's own promises over the rows, and stop where the night would stop for bad rows of a day."""
    from segmentation.validate.check_days import check_days
    from segmentation.validate.check_rows import check_rows, figures_of
    from segmentation.validate.release import load_releases
    from segmentation.validate.suite_runs import open_context

    context, releases = open_context(), load_releases(warehouse)
    by_day = _by_day(settings, daily, today)
    checked: dict[str, CheckedTable] = {}
    for name in daily:
        files = [rows[name] for rows in by_day.values()]
        checked[name] = check_rows(
            context, name, list(by_day), files, settings.timezone, checked.get(ORDERS),
            is_converted=settings.reporting_currency != "", releases=releases,
        )  # fmt: skip
    for name, rows in snapshots.items():
        checked[name] = check_rows(context, name, [today], [rows], settings.timezone, releases=releases)
    # of an older day only what changed is here: shares of a day are asked of whole days
    figures = [
        figures_of(table, position)
        for table in checked.values()
        for position, day in enumerate(table.days)
        if day > last_day
    ]
    broken = [one for one in check_days(context, figures, settings.checks, True).findings if one.level == "table"]
    if broken:
        raise CannotBringForward(f"{broken[0].table}: {broken[0].found}", "The next night says what to do about it.")
    return checked


def _by_day(settings: Settings, daily: dict[str, pa.Table], today: date) -> dict[date, dict[str, pa.Table]]:
    """Cut the rows into business days; days without rows are left out, but for today."""
    first = today - timedelta(days=settings.extract.late_days)
    days = list(days_between(first, today))
    cut = {
        table: split_days(rows, days, TIME_COLUMNS[table], KEYS[table], settings.timezone)
        for table, rows in daily.items()
    }
    return {
        day: {table: rows[day] for table, rows in cut.items()}
        for day in days
        if day == today or any(rows[day].num_rows for rows in cut.values())
    }


def _good_rows(table: CheckedTable, schema: pa.Schema) -> pa.Table:
    return table.rows.data.filter(pa.array(table.broken == 0)).cast(schema)
