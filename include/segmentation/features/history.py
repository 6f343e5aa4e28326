"""The checked history up to a day, read once and spread over buckets of customers.

A bucket is small enough to be worked on in memory; which one a customer is in depends on the id alone (MD5), not on the
machine, the library's version or the day.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segmentation import catalog
from segmentation.calendar import day_interval
from segmentation.config import Settings
from segmentation.errors import LakeFull, MissingInput
from segmentation.features.queries import bind, query, run
from segmentation.features.training_sample import TrainingSample
from segmentation.rates.conversion import checked_rates, open_conversion

if TYPE_CHECKING:
    import duckdb

_SPREAD = ("orders", "items", "events", "customers")


@dataclass(frozen=True)
class History:
    """The history of a shop, one folder per table and bucket.

    Attributes
    ----------
    folder : Path
        Where the bucket files lie, under the lake's ``tmp``.
    first_order : datetime or None
        When the first valid order was placed; None if there is none.
    first_event : datetime or None
        When the first event of a known customer happened; None if there is none.
    items_known : bool
        Whether any order has lines.
    customers : int
        Customers with an order, void ones included.
    """

    folder: Path
    first_order: datetime | None
    first_event: datetime | None
    items_known: bool
    customers: int = 0

    def files(self, table: str, bucket: int) -> list[str]:
        """List the files of one table's bucket; a bucket without rows has none."""
        return _bucket_files(self.folder / table, str(bucket))


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
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    except duckdb.Error as error:
        if "No space left on device" in str(error):
            raise LakeFull(scratch, shutil.disk_usage(scratch).free) from error
        raise
    finally:
        connection.close()


def spread_history(connection: duckdb.DuckDBPyConnection, settings: Settings, day: date, scratch: Path) -> History:
    """Spread every checked row up to the end of ``day`` over buckets of customers.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        An open database.
    settings : Settings
        All settings.
    day : date
        Business day; nothing after its end is read.
    scratch : Path
        An empty folder for the bucket files.

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
    """
    if not settings.lake.rows_file(catalog.CHECKED, catalog.ORDERS, day).exists():
        raise MissingInput("the checked orders file", day, "Run the validate step of that day first.")
    end = day_interval(day, settings.timezone).end
    files = {table: _files(settings, table, day) for table in catalog.SOURCE_TABLES}

    values: dict[str, Any] = {
        "orders": files[catalog.ORDERS],
        "items": files[catalog.ORDER_ITEMS],
        "events": files[catalog.EVENTS],
        "customers": files[catalog.CUSTOMERS],
        "end": end,
        "buckets": settings.features.buckets,
        "timezone": settings.timezone,
    }
    orders = connection.read_parquet(files[catalog.ORDERS], hive_partitioning=False)
    open_conversion(connection, settings, checked_rates(settings, day), orders, end)
    run(connection, "find_repeated_orders", values)
    run(connection, "create_products", {})
    if files[catalog.PRODUCTS]:
        run(connection, "insert_products", {"files": files[catalog.PRODUCTS]})
    for table in _SPREAD:
        if values[table]:
            selected = connection.sql(query(f"select_{table}"), params=bind(f"select_{table}", values))
            selected.write_parquet(str(scratch / table), partition_by=["bucket"], overwrite=True, compression="snappy")

    void = list(catalog.VOID_STATUSES)
    return History(
        scratch,
        first_order=_first(connection, "find_first_order", scratch / "orders", {"void": void, "end": end}),
        first_event=_first(connection, "find_first_event", scratch / "events", {}),
        items_known=_bucket_files(scratch / "items", "*") != [],
        customers=_first(connection, "count_customers", scratch / "orders", {}) or 0,
    )


def load_bucket(connection: duckdb.DuckDBPyConnection, settings: Settings, history: History, bucket: int) -> None:
    """Load one bucket of the history into the ``bucket_…`` tables and describe its orders.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        The database.
    settings : Settings
        All settings.
    history : History
        What `spread_history` returned.
    bucket : int
        Number of the bucket, from 0.
    """
    run(connection, "create_bucket", {})
    for table in _SPREAD:
        if files := history.files(table, bucket):
            run(connection, f"insert_{table}", {"files": files})
    _describe_bucket(connection, settings)


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
    for name in ("number_customers", "number_products", "describe_lines"):
        run(connection, name, {})


def _files(settings: Settings, table: str, day: date) -> list[str]:
    """List a table's files: every day's up to ``day``; of a snapshot only the day's own.

    Every run writes its own snapshot; one of an earlier day alone is of a table that the shop no longer has.
    """
    lake = settings.lake
    days = [day] if table in catalog.SNAPSHOT_TABLES else [d for d in lake.days(catalog.CHECKED, table) if d <= day]
    paths = [lake.rows_file(catalog.CHECKED, table, found) for found in days]
    return [str(path) for path in paths if path.exists()]


def _bucket_files(folder: Path, bucket: str) -> list[str]:
    return sorted(str(path) for path in folder.glob(f"bucket={bucket}/*.parquet"))


def _first(connection: duckdb.DuckDBPyConnection, name: str, folder: Path, values: dict[str, Any]) -> Any:
    """Return the one value of a query over all buckets of a table; None if there are none."""
    files = _bucket_files(folder, "*")
    if not files:
        return None
    return connection.execute(query(name), {"files": files, **values}).fetchall()[0][0]
