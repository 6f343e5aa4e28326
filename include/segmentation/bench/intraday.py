"""`segmentation bench intraday`: how long it takes from an order's row to the label that knows of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from segmentation.calendar import day_interval
from segmentation.catalog import (
    CHECKED,
    CUSTOMERS,
    EVENTS,
    EXTRACT_ROLE,
    FEATURES,
    ORDER_ITEMS,
    ORDERS,
    PUBLISH_ROLE,
    SEGMENTATIONS,
)
from segmentation.config import Settings
from segmentation.connections import engine_for
from segmentation.demo.postgres import SOURCE_DATABASE, WAREHOUSE_DATABASE, Server
from segmentation.demo.setup import set_up_server
from segmentation.demo.simulator import load_simulated
from segmentation.extract.source import quote_time
from segmentation.intraday.run_intraday import IntradayResult, run_intraday
from segmentation.lake import Lake, replacing
from segmentation.night import run_night

if TYPE_CHECKING:
    import duckdb

_SQL = Path(__file__).parent
_NIGHT = date(2026, 6, 30)
#: Keys of the checked rows.
_KEYS = {
    ORDERS: ("order_id", "customer_id"),
    ORDER_ITEMS: ("order_id",),
    EVENTS: ("event_id", "customer_id"),
    CUSTOMERS: ("customer_id",),
}
#: More than any key of the simulated shop.
_APART = 10_000_000_000


@dataclass(frozen=True)
class Timed:
    """What one run within the day took.

    Attributes
    ----------
    run : 1 = the first of its process, which imports the libraries
    seconds : wall time of the whole run
    result : what it did, with the seconds of its parts
    """

    run: int
    seconds: float
    result: IntradayResult


def time_intraday(
    settings: Settings, server: Server, customers: int, changed: int, runs: int, days: int = 120, times: int = 1
) -> list[Timed]:
    """Publish a night of a simulated shop, let some customers order the day after, and time the runs within that day.

    Parameters
    ----------
    settings : Settings
        Its home is filled; a folder of its own. In UTC.
    server : Server
        A fresh server.
    customers : int
        Customers of the shop.
    changed : int
        Customers who do something before each run.
    runs : int
        Runs, a quarter of an hour apart.
    days : int
        Days of history that the shop has.
    times : int
        How many of each customer the lake has; the source and the warehouse have one.
    """
    set_up_server(server)
    load_simulated(
        server, customers, first_day=_NIGHT - timedelta(days=days - 1), last_day=_NIGHT, timezone=settings.timezone
    )
    source, target = server.url(SOURCE_DATABASE, EXTRACT_ROLE), server.url(WAREHOUSE_DATABASE, PUBLISH_ROLE)
    midnight = day_interval(_NIGHT, settings.timezone).end
    night = run_night(settings, _NIGHT, source, target, now=midnight + timedelta(hours=3), run_id="bench")
    if not night.published:
        raise RuntimeError(f"the night was held: {' '.join(night.reasons)}")
    if times > 1:
        multiply_night(settings.lake, _NIGHT, times)
    shop, warehouse = server.engine(SOURCE_DATABASE), engine_for(target)
    timed = []
    for run in range(runs):
        now = midnight + timedelta(hours=12, minutes=15 * run)
        with shop.begin() as connection:
            told = {"now": quote_time(now), "changed": changed}
            connection.execute(text((_SQL / "fill_today.sql").read_text().format(**told)))
            connection.execute(text("drop table busy"))
        began = time.perf_counter()
        result = run_intraday(settings, source, warehouse, f"bench_{run}", now)
        timed.append(Timed(run + 1, time.perf_counter() - began, result))
    for engine in (shop, warehouse):
        engine.dispose()
    return timed


def multiply_night(lake: Lake, night: date, times: int) -> None:
    """Give a lake every customer of its checked days and of a night so many times; the first of each keeps the id."""
    import duckdb

    features, segments = lake.path(FEATURES, day=night), lake.path(SEGMENTATIONS, day=night)
    with duckdb.connect(config={"preserve_insertion_order": False}) as duck:
        for table, keys in _KEYS.items():
            for day in lake.days(CHECKED, table):
                _multiply(duck, lake.rows_file(CHECKED, table, day), keys, times)
        for file in (*features.glob("bucket=*/static.parquet"), *segments.glob("version=*/labels.parquet")):
            _multiply(duck, file, ("customer_id",), times)


def _multiply(duck: duckdb.DuckDBPyConnection, file: Path, keys: Sequence[str], times: int) -> None:
    types = dict(duck.sql((_SQL / "describe_file.sql").read_text(), params={"file": str(file)}).fetchall())
    moved = ", ".join(f"cast(cast({key} as bigint) + {_APART} * number as {types[key]}) as {key}" for key in keys)
    rows = (_SQL / "multiply_rows.sql").read_text().format(moved=moved, key=keys[0])
    with replacing(file) as temporary:
        duck.sql(rows, params={"file": str(file), "times": times}).write_parquet(str(temporary), compression="zstd")
