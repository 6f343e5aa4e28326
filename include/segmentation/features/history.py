"""The checked history up to a day, spread over buckets of customers, and one bucket of it loaded as of the day.

A bucket is small enough to be worked on in memory; which one a customer is in depends on the id alone (MD5), not on the
machine, the library's version or the day. What every night spreads in the same way is kept (`months`); what is of the
night alone is joined when a bucket is loaded: the products' categories, the rates, and which of repeated orders counts.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from segmentation import catalog
from segmentation.calendar import day_interval
from segmentation.config import Settings
from segmentation.errors import LakeFull, MissingInput
from segmentation.features.months import NOBODY, Month, bring_forward, write_buckets
from segmentation.features.queries import bind, query, run
from segmentation.features.training_sample import TrainingSample
from segmentation.lake import Lake
from segmentation.rates.conversion import checked_rates, open_conversion

if TYPE_CHECKING:
    import duckdb

_INSERTS = {catalog.ORDERS: "insert_orders", catalog.ORDER_ITEMS: "insert_items", catalog.EVENTS: "insert_events"}
#: Buckets of a shop that does not say how many, at least and at most.
_FEWEST_BUCKETS, _MOST_BUCKETS = 4, 4096
#: Rows of such a bucket, at most: loaded, they take about 1 GB.
_ROWS_A_BUCKET = 3_000_000
#: No feature looks at events further back from its as-of day than a year and, before the orders of that year, 3 days.
_LONGEST_LOOK = timedelta(days=365 + 4)


@dataclass(frozen=True)
class History:
    """The history of a shop up to a day: files and a few figures, so that another process can load a bucket.

    Attributes
    ----------
    folder : Path
        Where the night's own files lie, under the lake's ``tmp``.
    first_order : datetime or None
        When the first valid order was placed; None if there is none.
    first_event : datetime or None
        When the first event of a known customer happened; None if there is none.
    items_known : bool
        Whether any order has lines.
    customers : int
        Customers with an order, void ones included.
    buckets : int
        How many buckets the customers are spread over.
    day : date
        Business day; rows that came into the lake with later days are not loaded.
    months : tuple of Month
        The kept months up to that of the day.
    customer_files : tuple of tuple of str
        Per bucket, the files with the day's snapshot of the customers table.
    oldest : date
        Oldest as-of day that will be asked for: what only older ones need is not loaded. By default all is.
    """

    folder: Path
    first_order: datetime | None
    first_event: datetime | None
    items_known: bool
    customers: int = 0
    buckets: int = 1
    day: date = date.max
    months: tuple[Month, ...] = ()
    customer_files: tuple[tuple[str, ...], ...] = ()
    oldest: date = date.min

    @property
    def repeated_orders(self) -> Path:
        """The file with the orders of several days' files."""
        return self.folder / "repeated_orders.parquet"

    def files(self, table: str, bucket: int | None = None) -> list[str]:
        """List the kept files of a daily table, of all buckets or of one."""
        return _files(self.months, table, bucket)


@contextmanager
def open_database(settings: Settings, scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB that keeps to the settings' memory and threads and spills to ``scratch``.

    Raises
    ------
    LakeFull
        If DuckDB finds the disk full inside the block.
    """
    import duckdb

    connection = duckdb.connect(
        config={
            "memory_limit": f"{settings.features.memory_limit_gb}GB",
            "threads": settings.features.threads,
            "temp_directory": str(scratch / "spill"),
            "preserve_insertion_order": False,
        }
    )
    try:
        yield connect(connection)
    except duckdb.Error as error:
        if "No space left on device" in str(error):
            raise LakeFull(scratch, shutil.disk_usage(scratch).free) from error
        raise
    finally:
        connection.close()


def connect(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Open another connection to a database, with temporary tables of its own, for another thread."""
    connection = database.cursor()
    connection.execute("set TimeZone = 'UTC'")
    return connection


def spread_history(connection: duckdb.DuckDBPyConnection, settings: Settings, day: date, scratch: Path) -> History:
    """Spread the checked rows up to the end of ``day`` over buckets of customers, as far as they are not kept so.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        An open database.
    settings : Settings
        All settings.
    day : date
        Business day; nothing after its end is used.
    scratch : Path
        An empty folder for files of this night alone.

    Returns
    -------
    History
        Where the buckets are, and since when the shop has what.

    Raises
    ------
    MissingInput
        If the day's orders were not checked.
    MissingRate
        If amounts are converted to one currency and an order has no usable rate.
    LakeFull
        If the disk is full.
    """
    if not settings.lake.rows_file(catalog.CHECKED, catalog.ORDERS, day).exists():
        raise MissingInput("the checked orders file", day, "Run the validate step of that day first.")
    buckets = settings.features.buckets or choose_buckets(checked_rows(settings.lake, day))
    with TemporaryDirectory(dir=scratch, prefix="months-") as on_their_way:
        months = bring_forward(connection, settings.lake, buckets, day, Path(on_their_way))
    history = History(scratch, None, None, False, buckets=buckets, day=day, months=tuple(months))
    history = replace(history, customer_files=_spread_customers(connection, settings, history))
    history = _with_orders(connection, settings, history)
    return replace(
        history,
        first_event=_first_event(connection, settings, history),
        items_known=_has_lines(connection, settings, history),
    )


def choose_buckets(rows: int) -> int:
    """Choose over how many buckets a history of so many rows is spread, if the settings do not say.

    The number doubles as a shop grows, because at each change the whole history is spread again.

    Examples
    --------
    >>> [choose_buckets(rows) for rows in (0, 12_000_000, 12_000_001, 110_000_000)]
    [4, 4, 8, 64]
    """
    buckets = _FEWEST_BUCKETS
    while buckets * _ROWS_A_BUCKET < rows and buckets < _MOST_BUCKETS:
        buckets *= 2
    return buckets


def checked_rows(lake: Lake, day: date) -> int:
    """Count the checked rows of the daily tables up to ``day``, as the days' manifests tell."""
    manifests = lake.day_manifests(catalog.CHECKED)
    return sum(sum(found.get("rows_ok", {}).values()) for each, found in manifests.items() if each <= day)


def open_day(connection: duckdb.DuckDBPyConnection, settings: Settings, history: History) -> None:
    """Create what every bucket is joined with: the day's products and rates, and which of repeated orders counts.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The database; it need not be the one that `spread_history` was given.
    settings : Settings
        All settings.
    history : History
        What `spread_history` returned.
    """
    run(connection, "create_cutting", {})
    if history.files(catalog.ORDERS):
        run(connection, "insert_repeated_orders", {"file": str(history.repeated_orders)})
    if products := _snapshot(settings, catalog.PRODUCTS, history.day):
        run(connection, "insert_products", {"files": products})
    # that no rate is missing was seen when the history was spread
    open_conversion(connection, settings, checked_rates(settings, history.day), None, _moment(settings, history)["end"])


def load_bucket(connection: duckdb.DuckDBPyConnection, settings: Settings, history: History, bucket: int) -> None:
    """Load one bucket of the history into the ``bucket_…`` tables and describe its orders.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        A database after `open_day`.
    settings : Settings
        All settings.
    history : History
        What `spread_history` returned.
    bucket : int
        Number of the bucket, from 0.
    """
    run(connection, "create_bucket", {})
    files = {table: history.files(table, bucket) for table in _INSERTS}
    customers = list(history.customer_files[bucket]) if history.customer_files else []
    for some in (files[catalog.ORDERS], files[catalog.EVENTS], customers):
        if some:
            run(connection, "insert_seen_customers", {"files": some})
    run(connection, "number_customers", {})
    files[catalog.ORDER_ITEMS] += history.files(catalog.ORDER_ITEMS, NOBODY)
    values = _moment(settings, history) | _look(settings, history)
    if files[catalog.EVENTS]:
        _find_events(connection, values | {"files": files[catalog.EVENTS]})
    for table, insert in _INSERTS.items():
        if files[table]:
            run(connection, insert, values | {"files": files[table]})
    if customers:
        run(connection, "insert_customers", {"files": customers})
    _describe_bucket(connection, settings)


def _find_events(connection: duckdb.DuckDBPyConnection, values: dict[str, Any]) -> None:
    """Find out which events are repeated, and from when on each customer's older events are needed.

    Sorting hashes takes a third of the time and of the memory that grouping by key takes.
    """
    hashes = connection.sql(query("hash_events"), params=bind("hash_events", values)).fetchnumpy()["hash"]
    hashes.sort()
    repeated = hashes[1:][hashes[1:] == hashes[:-1]]
    run(connection, "find_repeated_hashes", {"hashes": repeated.tolist()})
    run(connection, "find_needed_events", values)


def keep_learnt(connection: duckdb.DuckDBPyConnection, settings: Settings, sample: TrainingSample) -> None:
    """Leave in the loaded bucket only the customers of a sample.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The database, with a bucket loaded.
    settings : Settings
        All settings.
    sample : TrainingSample
        Whom to leave.
    """
    run(connection, "find_learnt", sample.hex_bounds)
    run(connection, "keep_learnt", {})
    _describe_bucket(connection, settings)


def _describe_bucket(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    run(connection, "describe_orders", {"timezone": settings.timezone})
    for name in ("number_products", "describe_lines"):
        run(connection, name, {})


def _moment(settings: Settings, history: History) -> dict[str, Any]:
    return {
        "day": history.day,
        "end": day_interval(history.day, settings.timezone).end,
        "timezone": settings.timezone,
        "void": list(catalog.VOID_STATUSES),
    }


def _look(settings: Settings, history: History) -> dict[str, Any]:
    """Return the start of the events that are needed whole, and of older ones how many, less those up to when."""
    length = settings.features.sequence_length
    if history.oldest - date.min <= _LONGEST_LOOK:
        beginning = datetime.min.replace(tzinfo=UTC)
        return {"since": beginning, "oldest_end": beginning, "length": length}
    since = day_interval(history.oldest - _LONGEST_LOOK, settings.timezone).start
    return {"since": since, "oldest_end": day_interval(history.oldest, settings.timezone).end, "length": length}


def _spread_customers(
    connection: duckdb.DuckDBPyConnection, settings: Settings, history: History
) -> tuple[tuple[str, ...], ...]:
    """Spread the day's snapshot of the customers table, and list the files of each bucket."""
    run(connection, "create_spreading", {})
    if files := _snapshot(settings, catalog.CUSTOMERS, history.day):
        values = _moment(settings, history) | {"buckets": history.buckets, "customers": files}
        folder = history.folder / "customers"
        write_buckets(connection, "select_customers", values, folder)
        return tuple(
            tuple(sorted(str(file) for file in folder.glob(f"bucket={bucket}/*.parquet")))
            for bucket in range(history.buckets)
        )
    return ()


def _with_orders(connection: duckdb.DuckDBPyConnection, settings: Settings, history: History) -> History:
    """Look at all orders: which are repeated, whether all have rates, since when there are some, and of how many."""
    if not (files := history.files(catalog.ORDERS)):
        return history
    run(connection, "create_cutting", {})
    values = _moment(settings, history) | {"orders": files}
    repeated = connection.sql(query("find_repeated_orders"), params=bind("find_repeated_orders", values))
    repeated.write_parquet(str(history.repeated_orders))
    run(connection, "insert_repeated_orders", {"file": str(history.repeated_orders)})
    orders = connection.sql(
        "from spread_rows($orders, $day)", params={name: values[name] for name in ("orders", "day")}
    )
    open_conversion(connection, settings, checked_rates(settings, history.day), orders, values["end"])
    [(first_order, customers)] = connection.execute(query("sum_up_orders"), bind("sum_up_orders", values)).fetchall()
    return replace(history, first_order=first_order, customers=customers)


def _first_event(connection: duckdb.DuckDBPyConnection, settings: Settings, history: History) -> datetime | None:
    """Find the first event: a day's file holds the rows of that day, so it is in the first month that has one."""
    for month in history.months:
        if files := month.files(catalog.EVENTS):
            values = _moment(settings, history) | {"events": files}
            [(found,)] = connection.execute(query("find_first_event"), bind("find_first_event", values)).fetchall()
            if found is not None:
                return found
    return None


def _has_lines(connection: duckdb.DuckDBPyConnection, settings: Settings, history: History) -> bool:
    """Tell whether any order has lines, within its month (nearly all have) or else in another one."""
    for some in (*((month,) for month in history.months), history.months):
        orders, items = (_files(some, table) for table in (catalog.ORDERS, catalog.ORDER_ITEMS))
        if orders and items:
            values = _moment(settings, history) | {"orders": orders, "items": items}
            [(found,)] = connection.execute(query("find_lines"), bind("find_lines", values)).fetchall()
            if found:
                return True
    return False


def _files(months: Sequence[Month], table: str, bucket: int | None = None) -> list[str]:
    return [file for month in months for file in month.files(table, bucket)]


def _snapshot(settings: Settings, table: str, day: date) -> list[str]:
    """List the day's own file of a snapshot; one of an earlier day alone is of a table that the shop no longer has."""
    file = settings.lake.rows_file(catalog.CHECKED, table, day)
    return [str(file)] if file.exists() else []
