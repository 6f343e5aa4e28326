"""`segmentation bench intraday`: how long it takes from an order's row to the label that knows of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import text

from segmentation.calendar import day_interval
from segmentation.catalog import EXTRACT_ROLE, PUBLISH_ROLE
from segmentation.config import Settings
from segmentation.connections import engine_for
from segmentation.demo.postgres import SOURCE_DATABASE, WAREHOUSE_DATABASE, Server
from segmentation.demo.setup import set_up_server
from segmentation.demo.simulator import load_simulated
from segmentation.extract.source import quote_time
from segmentation.intraday.run_intraday import IntradayResult, run_intraday
from segmentation.night import run_night

_SQL = Path(__file__).parent
_NIGHT = date(2026, 6, 30)


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
    settings: Settings, server: Server, customers: int, changed: int, runs: int, days: int = 120
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
    """
    set_up_server(server)
    load_simulated(
        server, customers, first_day=_NIGHT - timedelta(days=days - 1), last_day=_NIGHT, timezone=settings.timezone
    )
    source, target = server.url(SOURCE_DATABASE, EXTRACT_ROLE), server.url(WAREHOUSE_DATABASE, PUBLISH_ROLE)
    now = day_interval(_NIGHT, settings.timezone).end + timedelta(hours=3)
    night = run_night(settings, _NIGHT, source, target, now=now, run_id="bench")
    if not night.published:
        raise RuntimeError(f"the night was held: {' '.join(night.reasons)}")
    return time_runs(settings, server, SOURCE_DATABASE, _NIGHT, changed, runs)


def time_runs(settings: Settings, server: Server, database: str, night: date, changed: int, runs: int) -> list[Timed]:
    """Let some customers of a simulated shop order in the day after a published night, and time the runs within it.

    Parameters
    ----------
    settings : Settings
        Those of the night.
    server : Server
        Has the source and the warehouse.
    database : str
        The source's name.
    night : date
        The newest published business day.
    changed, runs : int
        As for `time_intraday`.
    """
    source, target = server.url(database, EXTRACT_ROLE), server.url(WAREHOUSE_DATABASE, PUBLISH_ROLE)
    shop, warehouse = server.engine(database), engine_for(target)
    timed = []
    for run in range(runs):
        now = day_interval(night, settings.timezone).end + timedelta(hours=12, minutes=15 * run)
        with shop.begin() as connection:
            told = {"now": quote_time(now), "changed": changed}
            connection.execute(text((_SQL / "fill_today.sql").read_text().format(**told)))
            connection.execute(text("drop table busy"))
        began = time.perf_counter()
        result = run_intraday(settings, source, warehouse, f"bench_within_{run}", now)
        timed.append(Timed(run + 1, time.perf_counter() - began, result))
    for engine in (shop, warehouse):
        engine.dispose()
    return timed


def timed_line(one: Timed) -> str:
    """Say in a line what a run took, part by part."""
    parts = ", ".join(f"{part} {seconds:.1f}" for part, seconds in one.result.seconds.items())
    return f"run {one.run}: {one.seconds:.1f} s ({parts}); {one.result.labelled} labelled, {one.result.moved} moved"
