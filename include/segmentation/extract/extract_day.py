"""Bring the lake's raw files up to date with the source, for one business day and whatever is missing before it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from queue import SimpleQueue

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Engine

from segmentation.calendar import day_interval, require_past
from segmentation.catalog import (
    DAILY_TABLES,
    ORDER_ITEMS,
    ORDERS,
    RATES,
    RAW,
    SNAPSHOT_TABLES,
    SOURCE_TABLES,
)
from segmentation.config import Settings
from segmentation.erasure.requests import NOBODY, ErasedCustomers, erased_customers
from segmentation.extract.contract import KEYS, TIME_COLUMNS
from segmentation.extract.fingerprints import Fingerprint, fingerprint_of
from segmentation.extract.inspect_source import SourceLayout, inspect_source
from segmentation.extract.mapping import Mapping, load_mapping
from segmentation.extract.plan_days import plan_days, survey_source
from segmentation.extract.pseudonyms import pseudonymised
from segmentation.extract.source import Source, day_literals, load_sql, open_source, quote_time
from segmentation.extract.split_days import sort_rows, split_days
from segmentation.lake import content_hash, remove, replacing
from segmentation.privacy.keyed_hash import key_check, privacy_key

log = logging.getLogger(__name__)


#: Marks, between source and lake, the rows of erased customers.
_IS_ERASED = "_is_erased"


@dataclass(frozen=True)
class Guard:
    """What stands between the source and the lake: whom to leave out, and the key of pseudonyms."""

    erased: ErasedCustomers
    key: bytes | None

    @property
    def key_check(self) -> str:
        """What tells the key from another one; '' without a key."""
        return key_check(self.key) if self.key else ""

    def protected(self, rows: pa.Table, personal: frozenset[str]) -> pa.Table:
        """Put pseudonyms into rows, and mark those of erased customers, by either name."""
        named = rows
        rows = pseudonymised(rows, sorted(personal), self.key)
        if not self.erased or "customer_id" not in rows.column_names:
            return rows
        is_erased = self.erased.among(named["customer_id"])
        if "customer_id" in personal:
            is_erased |= self.erased.among(rows["customer_id"])
        return rows.append_column(_IS_ERASED, pa.array(is_erased))

    def kept(self, rows: pa.Table, personal: frozenset[str]) -> pa.Table:
        """Put pseudonyms into the rows of a snapshot, and leave out those of erased customers."""
        found = self.protected(rows, personal)
        if _IS_ERASED not in found.column_names:
            return found
        return found.filter(pc.invert(found[_IS_ERASED])).drop_columns(_IS_ERASED).combine_chunks()


def guard_of(settings: Settings, mapping: Mapping, warehouse: Engine | None) -> Guard:
    """Return the guard of one extraction; without a warehouse nobody is left out.

    Raises
    ------
    MissingPrivacyKey, OtherPrivacyKey
        If customers were erased, or columns are personal, and the key is not there or another one.
    """
    erased = erased_customers(settings, warehouse) if warehouse is not None else NOBODY
    return Guard(erased, privacy_key(settings, "reading personal columns") if mapping.personal else None)


@dataclass(frozen=True)
class ExtractResult:
    """What one extraction fetched.

    Attributes
    ----------
    business_day
        The day D of the run.
    days_extracted
        Every day that was fetched, oldest first; D is the last one.
    rows
        Contract table -> rows written, all fetched days together.
    tables
        Contract tables that the shop has.
    future_rows, undated_rows
        Daily table -> rows later than now, and rows without a usable time; neither are in any day's file.
    seconds
        Time it took.
    """

    business_day: str
    days_extracted: list[str]
    rows: dict[str, int]
    tables: list[str]
    future_rows: dict[str, int]
    undated_rows: dict[str, int]
    seconds: float


def extract_day(
    settings: Settings, day: date, source_url: str, now: datetime, warehouse: Engine | None = None
) -> ExtractResult:
    """Fetch business day ``day``, the days before it that the lake lacks, and those that changed since.

    Everything is read in one snapshot by read-only, repeatable-read transactions. A day's files are replaced whole, and
    its manifest is written last: after a kill the next run goes on with the first incomplete day. The same source gives
    the same bytes. Memory holds one group of days per reader (`ExtractSettings.rows_per_query` rows, or one day if that
    has more).

    Parameters
    ----------
    settings : Settings
        Timezone, lake, and ``extract``.
    day : date
        The business day D, in the shop's timezone.
    source_url : str
        ``postgresql://role:password@host:port/database``; the role needs no more than to read.
    now : datetime
        The present instant, timezone-aware.
    warehouse : Engine, optional
        Knows whose erasure was asked for: their rows are not kept. None: nobody's (a benchmark).

    Returns
    -------
    ExtractResult

    Raises
    ------
    FutureBusinessDay
        If D is not over.
    MissingPrivacyKey, OtherPrivacyKey
        If customers were erased, or columns are personal, and the key is not there or another one.
    InvalidMapping, MissingTable, MissingColumn, ChangedType, PermissionMissing
        If mapping file and source do not fit together; nothing is written.
    LoginRefused, DatabaseUnreachable, ConnectionLost, SourceTooSlow
        If the source does not answer, or not in time; days written before stay.
    LakeFull
        If the disk is full; days written before stay.
    """
    require_past(day, now, settings.timezone)
    started = time.monotonic()
    mapping = load_mapping(settings.extract.mapping)
    guard = guard_of(settings, mapping, warehouse)
    with open_source(settings.extract, source_url) as source:
        layout = inspect_source(source, mapping, settings.timezone, guard.key_check)
        survey = survey_source(source, layout, now, settings.timezone)
        groups = plan_days(source, layout, settings.lake, day, survey.first_day, settings.extract, settings.timezone)
        rows = _fetch_snapshots(source, layout, settings, day, guard)
        lone_items = _fetch_lone_items(source, layout, settings, guard)
        for table, counted in _fetch_days(source, source_url, layout, settings, day, groups, lone_items, guard).items():
            rows[table] = counted
    days = [other.isoformat() for group in groups for other in group]
    lake = settings.lake
    for table in set(SOURCE_TABLES) - set(layout.tables):
        # mapped once and no longer: a table that the shop lacks has no folder
        lake.remove(lake.place(RAW, table))
    snapshots = [lake.rows_file(RAW, table, day) for table in SNAPSHOT_TABLES if table in layout.tables]
    lake.write_json(
        {
            "business_day": day.isoformat(),
            "days_extracted": days,
            "future_rows": {table: asdict(found) for table, found in survey.future.items()},
            "undated_rows": {table: asdict(found) for table, found in survey.undated.items()},
            "tables": list(layout.tables),
            "source_columns": layout.source_columns,
            "snapshot_hash": content_hash(*snapshots),
        },
        lake.run_manifest(RAW, day),
    )
    for table, found in survey.undated.items():
        if found.count:
            log.warning(
                "%d rows of %s have no usable %s and are left out",
                found.count,
                table,
                TIME_COLUMNS[table],
            )
    return ExtractResult(
        business_day=day.isoformat(),
        days_extracted=days,
        rows=rows,
        tables=list(layout.tables),
        future_rows={table: found.count for table, found in survey.future.items()},
        undated_rows={table: found.count for table, found in survey.undated.items()},
        seconds=round(time.monotonic() - started, 3),
    )


def _fetch_days(
    source: Source,
    source_url: str,
    layout: SourceLayout,
    settings: Settings,
    day: date,
    groups: list[list[date]],
    lone_items: pa.Table | None,
    guard: Guard,
) -> dict[str, int]:
    """Fetch and write every planned day; several readers of one snapshot take a group of days each."""
    tables = [table for table in DAILY_TABLES if table in layout.tables]
    totals = dict.fromkeys(tables, 0)
    if lone_items is not None:
        totals[ORDER_ITEMS] += lone_items.num_rows
    started, done, days = time.monotonic(), 0, sum(map(len, groups))
    idle: SimpleQueue[Source] = SimpleQueue()

    def fetch(group: list[date]) -> tuple[list[date], dict[str, int]]:
        reader = idle.get()
        try:
            return group, _fetch_group(reader, layout, settings, group, lone_items if group[-1] == day else None, guard)
        finally:
            idle.put(reader)

    with ExitStack() as stack:
        idle.put(source)
        for _ in range(1, min(settings.extract.readers, len(groups))):
            idle.put(stack.enter_context(open_source(settings.extract, source_url, source.export_snapshot())))
        pool = ThreadPoolExecutor(idle.qsize(), thread_name_prefix="read")
        # runs before the connections close: a reader at work keeps its own until its group is done
        stack.callback(pool.shutdown, cancel_futures=True)
        for finished in as_completed([pool.submit(fetch, group) for group in groups]):
            group, counted = finished.result()
            for table, found in counted.items():
                totals[table] += found
            done += len(group)
            log.info(
                "fetched %s to %s: %d of %d days (%.0f %%), %s rows so far, %s rows/s",
                group[0],
                group[-1],
                done,
                days,
                100 * done / days,
                f"{sum(totals.values()):,}",
                f"{sum(totals.values()) / max(time.monotonic() - started, 1e-3):,.0f}",
            )
    return totals


def _fetch_group(
    source: Source,
    layout: SourceLayout,
    settings: Settings,
    group: list[date],
    lone_items: pa.Table | None,
    guard: Guard,
) -> dict[str, int]:
    """Fetch and write some consecutive days, and return the rows per table; the last day gets the lone items."""
    fetched = {
        table: guard.protected(_fetch_rows(source, layout, settings, table, group), layout.tables[table].personal)
        for table in DAILY_TABLES
        if table in layout.tables
    }
    written: Counter[str] = Counter(dict.fromkeys(fetched, 0))
    for day, rows in _by_day(fetched, group, settings.timezone).items():
        # what the source has, so that it is fetched again only when the source changes, whoever is left out
        fingerprint = fingerprint_of(rows)
        kept = without_erased(rows)
        written.update({table: found.num_rows for table, found in kept.items()})
        _write_day(settings, layout, day, kept, fingerprint, lone_items if day == group[-1] else None)
    return dict(written)


def without_erased(rows: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """Leave erased customers out of rows of all daily tables, with the lines of those orders that are theirs alone.

    Parameters
    ----------
    rows : dict of str to pyarrow.Table
        Daily table -> what `Guard.protected` returned; orders among them.
    """
    if _IS_ERASED not in rows[ORDERS].column_names:
        return rows
    kept = {
        table: found.filter(pc.invert(found[_IS_ERASED])).drop_columns(_IS_ERASED).combine_chunks()
        for table, found in rows.items()
        if table != ORDER_ITEMS
    }
    if ORDER_ITEMS in rows:
        gone = rows[ORDERS]["order_id"].filter(rows[ORDERS][_IS_ERASED])
        lines = rows[ORDER_ITEMS]["order_id"]
        theirs = pc.and_(
            pc.is_in(lines, gone.combine_chunks()),
            pc.invert(pc.is_in(lines, kept[ORDERS]["order_id"].combine_chunks())),
        )
        kept[ORDER_ITEMS] = rows[ORDER_ITEMS].filter(pc.invert(theirs)).combine_chunks()
    return {table: kept[table] for table in rows}


def _fetch_rows(source: Source, layout: SourceLayout, settings: Settings, table: str, group: list[date]) -> pa.Table:
    """Fetch one table's rows of some consecutive days, in any order."""
    rows = source.query(rows_sql(layout, table, group, settings.timezone), table)
    return rows.cast(layout.tables[table].schema)


def rows_sql(layout: SourceLayout, table: str, days: Sequence[date], timezone: str) -> str:
    """Return the query for a daily table's rows of consecutive days, in the lake's types and in any order.

    Parameters
    ----------
    layout : SourceLayout
        How the source is read.
    table : str
        A daily table, contract name.
    days : sequence of date
        Consecutive business days, first one first.
    timezone : str
        IANA name of the shop's timezone.
    """
    found = layout.tables[table]
    prefix = "i" if table == ORDER_ITEMS else "r"
    return load_sql("fetch_order_items" if table == ORDER_ITEMS else "fetch_rows").format(
        **{name: other.subquery for name, other in layout.tables.items()},
        rows=found.subquery,
        columns=", ".join(f"{prefix}.{column}" for column in found.columns),
        time=TIME_COLUMNS[table],
        **day_literals(days, timezone),
    )


def rates_sql(layout: SourceLayout, day: date) -> str:
    """Return the query for the rates up to a business day; the layout has the table."""
    found = layout.tables[RATES]
    return load_sql("fetch_rates").format(
        rates=found.subquery, columns=", ".join(found.columns), last_day=day.isoformat()
    )


def _by_day(fetched: dict[str, pa.Table], group: Sequence[date], timezone: str) -> dict[date, dict[str, pa.Table]]:
    """Cut the fetched rows of every table by day."""
    cut = {
        table: split_days(rows, group, TIME_COLUMNS[table], KEYS[table], timezone) for table, rows in fetched.items()
    }
    return {day: {table: days[day] for table, days in cut.items()} for day in group}


def _write_day(
    settings: Settings,
    layout: SourceLayout,
    day: date,
    rows: dict[str, pa.Table],
    fingerprint: Fingerprint,
    lone_items: pa.Table | None,
) -> None:
    """Write one day's files, and its manifest last."""
    lake = settings.lake
    manifest = lake.day_manifest(RAW, day)
    # without a manifest the day counts as missing, so a kill between two of its files is mended by the next run
    remove(manifest)
    if lone_items is not None and lone_items.num_rows:
        rows[ORDER_ITEMS] = pa.concat_tables([rows[ORDER_ITEMS], lone_items]).combine_chunks()
    files = [lake.rows_file(RAW, table, day) for table in rows]
    for table, file in zip(rows.values(), files, strict=True):
        write_daily_rows(table, file)
    lake.write_json(
        {
            "day": day.isoformat(),
            "rows": {table: found.num_rows for table, found in rows.items()},
            "fingerprint": fingerprint,
            "layout": layout.digest,
            "files_hash": content_hash(*files),
        },
        manifest,
    )


def write_daily_rows(rows: pa.Table, target: Path) -> None:
    """Replace a daily table's file: differences for numbers and times, words by dictionary (a third of the bytes)."""
    encodings = {
        field.name: "DELTA_BINARY_PACKED"
        for field in rows.schema
        if pa.types.is_int64(field.type) or pa.types.is_timestamp(field.type)
    }
    words = [field.name for field in rows.schema if pa.types.is_string(field.type)]
    with replacing(target) as temporary:
        pq.write_table(rows, temporary, compression="zstd", use_dictionary=words, column_encoding=encodings)


def _fetch_snapshots(
    source: Source, layout: SourceLayout, settings: Settings, day: date, guard: Guard
) -> dict[str, int]:
    """Fetch customers, products and rates as they are now, and keep them under the business day."""
    rows: dict[str, int] = {}
    for table in SNAPSHOT_TABLES:
        if table not in layout.tables:
            continue
        found = layout.tables[table]
        sql = load_sql(f"fetch_{table}").format(
            **{table: found.subquery},
            columns=", ".join(found.columns),
            end=quote_time(day_interval(day, settings.timezone).end),
            last_day=day.isoformat(),
        )
        snapshot = sort_rows(guard.kept(source.query(sql, table).cast(found.schema), found.personal), KEYS[table])
        settings.lake.write_table(snapshot, settings.lake.rows_file(RAW, table, day))
        rows[table] = snapshot.num_rows
    return rows


def _fetch_lone_items(source: Source, layout: SourceLayout, settings: Settings, guard: Guard) -> pa.Table | None:
    """Fetch the order lines without an order; the business day's file gets them, so that validation can name them."""
    if ORDER_ITEMS not in layout.tables:
        return None
    found = layout.tables[ORDER_ITEMS]
    sql = load_sql("fetch_lone_items").format(
        **{name: other.subquery for name, other in layout.tables.items()},
        columns=", ".join(f"i.{column}" for column in found.columns),
        limit=settings.extract.rows_per_query,
    )
    rows = guard.protected(source.query(sql, ORDER_ITEMS).cast(found.schema), found.personal)
    return sort_rows(rows, KEYS[ORDER_ITEMS])
