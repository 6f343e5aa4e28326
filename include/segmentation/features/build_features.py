"""The features step: checked rows in, one set of files per bucket of customers out."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from segmentation import catalog, runs
from segmentation.calendar import business_day_of
from segmentation.config import Settings
from segmentation.engines.units import run_units
from segmentation.errors import TooLittleHistory
from segmentation.features.as_of import (
    count_channels,
    describe_customers,
    describe_future,
    list_no_order,
    list_products,
)
from segmentation.features.history import (
    History,
    connect,
    keep_learnt,
    load_bucket,
    open_database,
    open_day,
    spread_history,
)
from segmentation.features.training_sample import TrainingSample
from segmentation.lake import Lake

if TYPE_CHECKING:
    import duckdb

#: Buckets that are described at once: one uses the core that the other's query leaves idle.
_AT_ONCE = 2
#: Cut-offs that a fine-tune of yesterday's model needs.
WARM_CUTOFFS = 2


@dataclass(frozen=True)
class FeaturesResult:
    """What the features step wrote.

    Attributes
    ----------
    as_of : str
        Business day, ISO format.
    customers : int
        Customers with at least one order.
    customers_without_order : int
        Known customers without one.
    cutoffs : list of str
        Days after which a whole horizon is known, newest first.
    seconds : float
        Wall time.
    """

    as_of: str
    customers: int
    customers_without_order: int
    cutoffs: list[str]
    seconds: float


@dataclass(frozen=True)
class Described:
    """What every bucket of a night is described by.

    Attributes
    ----------
    day : date
        Business day.
    cutoffs : tuple of date
        Days as of which the past is described, newest first.
    sample : TrainingSample
        Whose past is described.
    history : History
        The history, spread over buckets.
    scratch : Path
        Folder of what is needed during the step only.
    """

    day: date
    cutoffs: tuple[date, ...]
    sample: TrainingSample
    history: History
    scratch: Path

    def no_order_file(self, bucket: int) -> Path:
        """Return the file of a bucket's known customers without an order."""
        return self.scratch / "no_order" / f"{bucket}.parquet"


def build_features(settings: Settings, day: date, warm: bool) -> FeaturesResult:
    """Describe every customer as of the end of ``day``, and as of earlier cut-offs with what came after.

    Parameters
    ----------
    settings : Settings
        All settings.
    day : date
        Business day. Nothing that happened after its end is used.
    warm : bool
        True if there is a model to fine-tune: then the newest two cut-offs are enough.

    Returns
    -------
    FeaturesResult
        Counts, cut-offs and time. The files are in the lake under ``features/day=D`` and ``windows/day=D``; the windows
        of every other day are removed, because they are large and made anew each night.

    Raises
    ------
    MissingInput
        If the day was not validated.
    TooLittleHistory
        If the shop has no valid order up to the day.
    LakeFull
        If the disk is full.
    """
    started = time.monotonic()
    lake = settings.lake
    # before a row is read: rows that arrive from here on make the day stale, not a part of it
    inputs_version = runs.inputs_version(lake, day)
    inputs = runs.describe_inputs(lake, day)
    scratch = lake.scratch / f"features-{day.isoformat()}"
    _forget(scratch)
    scratch.mkdir(parents=True)
    for other in lake.days(catalog.WINDOWS):
        if other != day:
            lake.remove(lake.place(catalog.WINDOWS, day=other))
    try:
        with open_database(settings, scratch) as connection:
            history = spread_history(connection, settings, day, scratch)
        if history.first_order is None:
            raise TooLittleHistory(day)
        cutoffs = choose_cutoffs(settings, day, history.first_order, warm)
        history = replace(history, oldest=min([day, *cutoffs]))
        sample = training_sample(settings, history.customers)
        told = Described(day, tuple(cutoffs), sample, history, scratch)
        buckets = range(history.buckets)
        threads = settings.features.threads
        customers = sum(run_units(settings, "features", describing, told, buckets, threads, min(_AT_ONCE, threads)))
        without_order = (pq.read_table(told.no_order_file(bucket), partitioning=None) for bucket in buckets)
        no_order = pa.concat_tables(without_order).sort_by("customer_id")
    finally:
        _forget(scratch)

    if inputs_version is not None:
        lake.write_json(inputs, runs.inputs_file(lake, day, inputs_version))
    lake.write_table(no_order, lake.path(catalog.FEATURES, day=day) / "no_order.parquet")
    _prune(settings, day, cutoffs, history.buckets)
    names = [cutoff.isoformat() for cutoff in cutoffs]
    lake.write_json(
        {
            "as_of": day.isoformat(),
            "customers": customers,
            "customers_without_order": no_order.num_rows,
            "buckets": history.buckets,
            "cutoffs": names,
            "training_share": sample.share,
            "inputs_version": inputs_version,
        },
        lake.path(catalog.FEATURES, day=day) / "features.json",
    )
    return FeaturesResult(day.isoformat(), customers, no_order.num_rows, names, time.monotonic() - started)


@contextmanager
def describing(settings: Settings, told: Described) -> Iterator[Callable[[int], int]]:
    """Open a database and yield what describes one bucket, writes its files and counts its customers.

    Parameters
    ----------
    settings : Settings
        All settings, or `Settings.for_workers` of them.
    told : Described
        By what.
    """
    # processes that shared a folder would write into each other's spilled files
    spill = Path(tempfile.mkdtemp(prefix="spill-", dir=told.scratch))
    with open_database(settings, spill) as database:
        own = threading.local()

        def describe(bucket: int) -> int:
            # temporary tables are a connection's own, threads and memory are the database's
            if not hasattr(own, "connection"):
                own.connection = connect(database)
                open_day(own.connection, settings, told.history)
            load_bucket(own.connection, settings, told.history, bucket)
            return _describe_bucket(own.connection, settings, told, bucket)

        yield describe


def _describe_bucket(connection: duckdb.DuckDBPyConnection, settings: Settings, told: Described, bucket: int) -> int:
    """Write the files of the bucket that is loaded, and return its customers with an order."""
    lake, day, history = settings.lake, told.day, told.history
    features = lake.path(catalog.FEATURES, day=day)
    tables = describe_customers(connection, settings, history, day)
    tables["channels"] = count_channels(connection, settings, history, day)
    _write(lake, features, bucket, tables)
    customers = tables["static"].num_rows
    _write(lake, features, bucket, {"products": list_products(connection, settings, history, day)})
    lake.write_table(list_no_order(connection, settings, history, day), told.no_order_file(bucket))
    if told.cutoffs and told.sample.share < 1:
        # what is past only teaches and judges: more of it than the sample makes neither better
        keep_learnt(connection, settings, told.sample)
    for cutoff in told.cutoffs:
        tables = describe_customers(connection, settings, history, cutoff)
        tables |= describe_future(connection, settings, history, cutoff)
        _write(lake, lake.path(catalog.WINDOWS, day=day, cutoff=cutoff.isoformat()), bucket, tables)
    return customers


def training_sample(settings: Settings, customers: int) -> TrainingSample:
    """Choose whom a shop of so many customers is learnt from.

    Examples
    --------
    >>> training_sample(Settings(), 20_000).share, training_sample(Settings(), 1_000_000).share
    (1.0, 0.05)
    """
    share = min(settings.features.training_customers / max(customers, 1), 1.0)
    return TrainingSample(settings.encoder.held_out_share, share)


def choose_cutoffs(settings: Settings, day: date, first_order: datetime, warm: bool) -> list[date]:
    """Choose the days whose future is known as of ``day``, newest first.

    Parameters
    ----------
    settings : Settings
        Horizon, number of cut-offs and history they need.
    day : date
        Business day.
    first_order : datetime
        When the shop's first valid order was placed.
    warm : bool
        Whether the newest two are enough.

    Returns
    -------
    list of date
        One horizon apart; empty if the shop is too young.

    Examples
    --------
    >>> from datetime import UTC
    >>> choose_cutoffs(Settings(), date(2017, 3, 31), datetime(2017, 1, 5, tzinfo=UTC), warm=False)
    [datetime.date(2017, 3, 3), datetime.date(2017, 2, 3)]
    """
    horizon = timedelta(days=settings.features.horizon_days)
    first_day = business_day_of(first_order, settings.timezone)
    earliest = first_day + timedelta(days=settings.features.minimum_history_days - 1)
    count = min(WARM_CUTOFFS, settings.features.training_cutoffs) if warm else settings.features.training_cutoffs
    return [cutoff for step in range(1, count + 1) if (cutoff := day - step * horizon) >= earliest]


def bucket_folder(bucket: int) -> str:
    """Return the two-digit name of a bucket's partition.

    Examples
    --------
    >>> bucket_folder(3)
    '03'
    """
    return f"{bucket:02d}"


def _write(lake: Lake, folder: Path, bucket: int, tables: dict[str, pa.Table]) -> None:
    for name, table in tables.items():
        lake.write_table(table, folder / f"bucket={bucket_folder(bucket)}" / f"{name}.parquet")


def _prune(settings: Settings, day: date, cutoffs: list[date], buckets: int) -> None:
    """Remove what an earlier run of the day wrote for other cut-offs or for more buckets."""
    lake = settings.lake
    windows = lake.path(catalog.WINDOWS, day=day)
    kept = [lake.path(catalog.WINDOWS, day=day, cutoff=cutoff.isoformat()) for cutoff in cutoffs]
    for folder in windows.glob("cutoff=*"):
        if folder not in kept:
            lake.remove(folder)
    of_buckets = {f"bucket={bucket_folder(bucket)}" for bucket in range(buckets)}
    for folder in (lake.path(catalog.FEATURES, day=day), *kept):
        for found in folder.glob("bucket=*"):
            if found.name not in of_buckets:
                lake.remove(found)


def _forget(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
