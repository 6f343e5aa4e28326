"""Days of 23 and 25 hours, with rows in the first and the last microsecond of each: none lands on the wrong day.

The story: a customer orders twice a day, at its very beginning and its very end, on the day when the clocks change and
the days around it. Each night is extracted, validated and described as it would be; the customer has two orders more
each evening, whatever the length of the day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import count

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, text

from segmentation.calendar import day_interval, days_between
from segmentation.catalog import EXTRACT_ROLE
from segmentation.config import Settings
from segmentation.demo.postgres import Server
from segmentation.demo.source import create_source
from segmentation.extract.extract_day import extract_day
from segmentation.features.build_features import build_features
from segmentation.validate.validate_day import validate_day

_numbers = count(1)
BERLIN, SANTIAGO = "Europe/Berlin", "America/Santiago"
INSTANTS, WALL, TOKYO = "instants", "wall clock", "server in Tokyo"
CASES = [
    pytest.param(BERLIN, date(2026, 3, 29), 23, INSTANTS, id="Berlin, 23 hours"),
    pytest.param(BERLIN, date(2026, 3, 29), 23, WALL, id="Berlin, 23 hours, wall clock"),
    pytest.param(BERLIN, date(2026, 10, 25), 25, INSTANTS, id="Berlin, 25 hours"),
    pytest.param(BERLIN, date(2026, 10, 25), 25, TOKYO, id="Berlin, 25 hours, server in Tokyo"),
    pytest.param(SANTIAGO, date(2026, 9, 6), 23, INSTANTS, id="Santiago, midnight does not exist"),
    pytest.param(SANTIAGO, date(2026, 4, 4), 25, WALL, id="Santiago, the hour before midnight comes twice"),
    pytest.param("Australia/Lord_Howe", date(2026, 10, 4), 23.5, INSTANTS, id="Lord Howe, 23.5 hours"),
]
_ORDER = """
    insert into shop.orders
    values (:id, 1, cast(:at as timestamptz), 'completed', 'EUR', 10, 0, null, cast(:at as timestamptz))"""
_ITEM = "insert into shop.order_items values (:id, 1, 1, 1, 10, 0)"
_EVENT = """
    insert into shop.events
    values (:id, 1, 's', cast(:at as timestamptz), 'page_view', null, 'web', null, cast(:at as timestamptz))"""
_CUSTOMER = "insert into shop.customers values (1, '2026-01-01Z', null, 'DE', null, '2026-01-01Z')"
#: What a shop that writes its local wall-clock time has instead of instants.
_LOCAL = """
    alter table shop.{table} alter column {column} type timestamp using {column} at time zone '{timezone}'"""


@pytest.fixture
def new_shop(server: Server) -> Iterator[Callable[[str, date], tuple[str, Engine]]]:
    """Make a shop with two orders and two events on the given day and the two before and after it."""
    made: list[tuple[str, Engine]] = []

    def make(timezone: str, day: date) -> tuple[str, Engine]:
        database = f"clocks_{next(_numbers)}"
        create_source(server, database)
        engine = server.engine(database)
        made.append((database, engine))
        with engine.begin() as connection:
            connection.execute(text(_CUSTOMER))
            for number, one in enumerate(days_between(day - timedelta(days=2), day + timedelta(days=2))):
                interval = day_interval(one, timezone)
                for part, at in enumerate((interval.start, interval.end - timedelta(microseconds=1))):
                    for statement in (_ORDER, _ITEM, _EVENT):
                        connection.execute(text(statement), {"id": 10 * number + part, "at": at.isoformat()})
        return database, engine

    yield make
    for database, engine in made:
        engine.dispose()
        server.drop_database(database)


def run(settings: Settings, day: date, url: str, warehouse: Engine, now: datetime) -> float:
    """Run a night up to its features; return how many orders the customer has had by its end."""
    extract_day(settings, day, url, now)
    assert validate_day(settings, day, warehouse, f"run {day}", now).quarantined == 0
    build_features(settings, day, warm=False)
    files = settings.lake.path("features", day=day).glob("bucket=*/static.parquet")
    return sum(pc.sum(pq.ParquetFile(file).read()["frequency_all"]).as_py() or 0 for file in files)


def ids(settings: Settings, table: str, day: date) -> list[int]:
    rows = pq.ParquetFile(settings.lake.rows_file("checked", table, day)).read()
    return rows.column(0).to_pylist()


@pytest.mark.parametrize(("timezone", "day", "hours", "clock"), CASES)
def test_rows_on_both_sides_of_midnight_are_on_their_day(
    new_shop: Callable[[str, date], tuple[str, Engine]],
    server: Server,
    make_settings: Callable[..., Settings],
    warehouse: Engine,
    timezone: str,
    day: date,
    hours: float,
    clock: str,
) -> None:
    interval = day_interval(day, timezone)
    assert (interval.end - interval.start) / timedelta(hours=1) == hours
    database, engine = new_shop(timezone, day)
    with engine.begin() as connection:
        if clock == TOKYO:
            # what the server's own clock shows must not matter
            connection.execute(text(f"alter database {database} set timezone to 'Asia/Tokyo'"))
        if clock == WALL:
            for table, column in (("orders", "ordered_at"), ("events", "occurred_at")):
                connection.execute(text(_LOCAL.format(table=table, column=column, timezone=timezone)))
    settings, url = make_settings(timezone), server.url(database, EXTRACT_ROLE)
    now = day_interval(day + timedelta(days=2), timezone).end + timedelta(hours=4)
    # the shop's days are number 0 to 4; the one whose clocks change is number 2
    assert run(settings, day, url, warehouse, now) == 6
    assert run(settings, day + timedelta(days=1), url, warehouse, now) == 8
    for number in range(4):
        for table in ("orders", "events"):
            assert ids(settings, table, day + timedelta(days=number - 2)) == [10 * number, 10 * number + 1]
