"""`segmentation bench extract`: the extraction beside raw binary COPY, which is as fast as Postgres gives rows away."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from segmentation.calendar import day_interval
from segmentation.catalog import DAILY_TABLES, EXTRACT_ROLE, ORDERS
from segmentation.config import Settings
from segmentation.demo.postgres import Server
from segmentation.demo.source import create_database, create_tables, finish_tables
from segmentation.extract.contract import TIME_COLUMNS
from segmentation.extract.extract_day import extract_day
from segmentation.extract.mapping import Expression, TableMapping, load_mapping
from segmentation.extract.source import open_source, quote_name, quote_time

_DATABASE = "bench_extract"
_FIRST_DAY = date(2025, 1, 1)


@dataclass(frozen=True)
class ExtractBench:
    """Both ways beside each other.

    Attributes
    ----------
    rows
        Rows that each way fetched.
    copy_seconds, extract_seconds
        Median time of raw binary COPY of these rows, and of the extraction of the same days into parquet.
    ratio
        Median over the repeats of COPY's time divided by the extraction's: 1 = as fast as COPY.
    """

    rows: int
    copy_seconds: float
    extract_seconds: float
    ratio: float

    def lines(self) -> list[str]:
        """Return the table to print."""
        return [
            f"{'':26}{'rows':>12}{'seconds':>10}{'rows/s':>12}{'ratio':>8}",
            self._line("raw binary COPY", self.copy_seconds, 1.0),
            self._line("extraction to parquet", self.extract_seconds, self.ratio),
        ]

    def _line(self, name: str, seconds: float, ratio: float) -> str:
        return f"{name:26}{self.rows:>12,}{seconds:>10.2f}{self.rows / seconds:>12,.0f}{ratio:>8.2f}"


class _Counting:
    """A sink that keeps nothing."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, block: bytes) -> int:
        """Count the bytes of a block."""
        self.size += len(block)
        return len(block)


def make_bench_source(server: Server, rows: int = 3_000_000, days: int = 120) -> tuple[str, date]:
    """Make a database with a clickstream of ``rows`` events over ``days`` days, unless it is there already.

    Parameters
    ----------
    server : Server
        Where to make it.
    rows, days : int
        Size of the clickstream.

    Returns
    -------
    tuple
        URL of the extract role, and the last day with events.
    """
    database = f"{_DATABASE}_{rows}_{days}"
    if not server.has_database(database):
        create_database(server, database)
        engine = server.engine(database)
        with engine.begin() as connection:
            create_tables(connection)
            fill = Path(__file__).with_name("fill_events.sql").read_text()
            connection.execute(text(fill), {"rows": rows, "days": days})
            finish_tables(connection)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # the first reader after a load would pay for marking every row as visible
            connection.execute(text("vacuum shop.events"))
        engine.dispose()
    return server.url(database, EXTRACT_ROLE), _FIRST_DAY + timedelta(days=days - 1)


def bench_extract(source_url: str, settings: Settings, day: date, repeats: int = 3) -> ExtractBench:
    """Time raw binary COPY and the extraction of the whole history up to ``day``, in turns.

    Parameters
    ----------
    source_url : str
        The source; both ways read the mapped columns of the daily tables, COPY in the types that they have.
    settings : Settings
        Timezone and ``extract``; the lake is a temporary one beside ``settings.home``.
    day : date
        Last business day that is fetched.
    repeats : int
        How often each way runs.

    Returns
    -------
    ExtractBench
    """
    timings = []
    rows = 0
    settings.home.mkdir(parents=True, exist_ok=True)
    with open_source(settings.extract, source_url):
        pass  # loads the driver, which is no part of the work
    # one folder for all repeats: a file system is slow to make files just after others were removed
    with tempfile.TemporaryDirectory(dir=settings.home, prefix="bench-") as folder:
        for repeat in range(repeats):
            started = time.perf_counter()
            copy_rows_out(source_url, settings, day)
            copied = time.perf_counter() - started
            home = Path(folder) / str(repeat)
            started = time.perf_counter()
            result = extract_day(settings.apart(home), day, source_url, datetime.now(UTC))
            timings.append((copied, time.perf_counter() - started))
            rows = sum(found for table, found in result.rows.items() if table in DAILY_TABLES)
    return ExtractBench(
        rows,
        statistics.median(copied for copied, _ in timings),
        statistics.median(extracted for _, extracted in timings),
        statistics.median(copied / extracted for copied, extracted in timings),
    )


def copy_rows_out(source_url: str, settings: Settings, last: date, first: date | None = None) -> int:
    """Fetch the mapped columns of the daily tables by raw binary COPY, keep nothing, and return the rows.

    Parameters
    ----------
    source_url : str
        The source.
    settings : Settings
        Timezone and ``extract``.
    last, first : date
        Business days; without ``first`` from the beginning on.
    """
    import psycopg2

    mapping = load_mapping(settings.extract.mapping)
    start = quote_time(day_interval(first, settings.timezone).start) if first else ""
    end = quote_time(day_interval(last, settings.timezone).end)
    rows = 0
    connection = psycopg2.connect(source_url)
    try:
        with connection.cursor() as cursor:
            for table in DAILY_TABLES:
                if table in mapping.tables:
                    query = _plain_query(table, mapping.tables, start, end)
                    cursor.copy_expert(f"copy ({query}) to stdout (format binary)", _Counting())
                    rows += cursor.rowcount
    finally:
        connection.close()
    return rows


def _plain_query(table: str, tables: Mapping[str, TableMapping], start: str, end: str) -> str:
    content = tables[table]
    values = _values(content)
    relation = f"{quote_name(content.schema_name)}.{quote_name(content.relation_name)}"
    time_column = TIME_COLUMNS[table]
    where = ""
    if time_column in values:
        where = _between(values[time_column], start, end)
    elif start:
        # order lines have no time of their own; of the whole history all of them are read, as the extraction reads
        # those without an order, too
        orders = tables[ORDERS]
        theirs = _values(orders)
        where = (
            f" where {values['order_id']} in (select {theirs['order_id']} from "  # noqa: S608 - names are quoted
            f"{quote_name(orders.schema_name)}.{quote_name(orders.relation_name)}"
            f"{_between(theirs[TIME_COLUMNS[ORDERS]], start, end)})"
        )
    return f"select {', '.join(values.values())} from {relation}{where}"  # noqa: S608 - names are quoted


def _values(content: TableMapping) -> dict[str, str]:
    return {
        column: value.expression if isinstance(value, Expression) else quote_name(value)
        for column, value in content.columns.items()
        if value is not None
    }


def _between(column: str, start: str, end: str) -> str:
    return f" where {f'{column} >= {start} and ' if start else ''}{column} < {end}"
