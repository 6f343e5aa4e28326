"""Bring the lake's raw files up to date with the source, for one business day and whatever is missing before it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from queue import SimpleQueue

import pyarrow as pa
import pyarrow.parquet as pq

from segmentation.calendar import day_interval, require_past
from segmentation.catalog import DAILY_TABLES, ORDER_ITEMS, RATES, RAW, SNAPSHOT_TABLES, SOURCE_TABLES
from segmentation.config import Settings
from segmentation.extract.contract import KEYS, TIME_COLUMNS
from segmentation.extract.fingerprints import fingerprint_of
from segmentation.extract.inspect_source import SourceLayout, inspect_source
from segmentation.extract.mapping import load_mapping
from segmentation.extract.plan_days import plan_days, survey_source
from segmentation.extract.source import Source, day_literals, load_sql, open_source, quote_time
from segmentation.extract.split_days import sort_rows, split_days
from segmentation.lake import content_hash, replacing

log = logging.getLogger(__name__)


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


def extract_day(settings: Settings, day: date, source_url: str, now: datetime) -> ExtractResult:
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

    Returns
    -------
    ExtractResult

    Raises
    ------
    FutureBusinessDay
        If D is not over.
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
    with open_source(settings.extract, source_url) as source:
        layout = inspect_source(source, mapping, settings.timezone)
        survey = survey_source(source, layout, now, settings.timezone)
        groups = plan_days(source, layout, settings.lake, day, survey.first_day, settings.extract, settings.timezone)
        rows = _fetch_snapshots(source, layout, settings, day)
        lone_items = _fetch_lone_items(source, layout, settings)
        for table, counted in _fetch_days(source, source_url, layout, settings, day, groups, lone_items).items():
            rows[table] = counted
    days = [other.isoformat() for group in groups for other in group]
    lake = settings.lake
    for table in set(SOURCE_TABLES) - set(layout.tables):
        # mapped once and no longer: a table that the shop lacks has no folder
        lake.remove(lake.path(RAW, table))
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
            return group, _fetch_group(reader, layout, settings, group, lone_items if group[-1] == day else None)
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
    source: Source, layout: SourceLayout, settings: Settings, group: list[date], lone_items: pa.Table | None
) -> dict[str, int]:
    """Fetch and write some consecutive days, and return the rows per table; the last day gets the lone items."""
    fetched = {
        table: _fetch_rows(source, layout, settings, table, group) for table in DAILY_TABLES if table in layout.tables
    }
    for day, rows in _by_day(fetched, group, settings.timezone).items():
        _write_day(settings, layout, day, rows, lone_items if day == group[-1] else None)
    return {table: rows.num_rows for table, rows in fetched.items()}


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
    settings: Settings, layout: SourceLayout, day: date, rows: dict[str, pa.Table], lone_items: pa.Table | None
) -> None:
    """Write one day's files, and its manifest last."""
    lake = settings.lake
    manifest = lake.day_manifest(RAW, day)
    # without a manifest the day counts as missing, so a kill between two of its files is mended by the next run
    manifest.unlink(missing_ok=True)
    fingerprint = fingerprint_of(rows)
    if lone_items is not None and lone_items.num_rows:
        rows[ORDER_ITEMS] = pa.concat_tables([rows[ORDER_ITEMS], lone_items]).combine_chunks()
    files = [lake.rows_file(RAW, table, day) for table in rows]
    for table, file in zip(rows.values(), files, strict=True):
        _write_rows(table, file)
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


def _write_rows(rows: pa.Table, target: Path) -> None:
    """Replace a day's file: differences for numbers and times, a dictionary for words (a third of the usual bytes)."""
    encodings = {
        field.name: "DELTA_BINARY_PACKED"
        for field in rows.schema
        if pa.types.is_int64(field.type) or pa.types.is_timestamp(field.type)
    }
    words = [field.name for field in rows.schema if pa.types.is_string(field.type)]
    with replacing(target) as temporary:
        pq.write_table(rows, temporary, compression="zstd", use_dictionary=words, column_encoding=encodings)


def _fetch_snapshots(source: Source, layout: SourceLayout, settings: Settings, day: date) -> dict[str, int]:
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
        snapshot = sort_rows(source.query(sql, table).cast(found.schema), KEYS[table])
        settings.lake.write_table(snapshot, settings.lake.rows_file(RAW, table, day))
        rows[table] = snapshot.num_rows
    return rows


def _fetch_lone_items(source: Source, layout: SourceLayout, settings: Settings) -> pa.Table | None:
    """Fetch the order lines without an order; the business day's file gets them, so that validation can name them."""
    if ORDER_ITEMS not in layout.tables:
        return None
    found = layout.tables[ORDER_ITEMS]
    sql = load_sql("fetch_lone_items").format(
        **{name: other.subquery for name, other in layout.tables.items()},
        columns=", ".join(f"i.{column}" for column in found.columns),
        limit=settings.extract.rows_per_query,
    )
    return sort_rows(source.query(sql, ORDER_ITEMS).cast(found.schema), KEYS[ORDER_ITEMS])
