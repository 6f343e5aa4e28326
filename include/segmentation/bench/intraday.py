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
#: Days of history that the shop has.
_DAYS = 120


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


def time_intraday(settings: Settings, server: Server, customers: int, changed: int, runs: int) -> list[Timed]:
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
    """
    set_up_server(server)
    load_simulated(
        server, customers, first_day=_NIGHT - timedelta(days=_DAYS), last_day=_NIGHT, timezone=settings.timezone
    )
    source, target = server.url(SOURCE_DATABASE, EXTRACT_ROLE), server.url(WAREHOUSE_DATABASE, PUBLISH_ROLE)
    midnight = day_interval(_NIGHT, settings.timezone).end
    night = run_night(settings, _NIGHT, source, target, now=midnight + timedelta(hours=3), run_id="bench")
    if not night.published:
        raise RuntimeError(f"the night was held: {' '.join(night.reasons)}")
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
