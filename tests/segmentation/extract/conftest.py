"""A shop of six days, small enough to count by hand, in a database that a test may damage.

Days 2026-03-26 to 2026-03-31 in Berlin; on the 29th the clocks go forward. Every day has two orders of two lines
each, one in its first microsecond and one in its last, and three events: in the first, at noon, in the last. Order
ids are 10 * n + 1 and 10 * n + 2 for day n = 1 to 6, event ids 10 * n + 1 to 10 * n + 3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, text

from segmentation.calendar import day_interval
from segmentation.catalog import EXTRACT_ROLE
from segmentation.config import Settings
from segmentation.demo.postgres import Server
from segmentation.demo.source import create_database, create_source

_numbers = count(1)
_TEMPLATE = "six_day_shop"

TIMEZONE = "Europe/Berlin"
FIRST_DAY = date(2026, 3, 26)
LAST_DAY = date(2026, 3, 31)
DAY_AFTER = date(2026, 4, 1)

_FILL = """
insert into shop.customers
select c, timestamptz '2026-03-01Z', 'someone' || c || '@example.org', 'DE', 1980, timestamptz '2026-03-01Z'
from generate_series(1, 4) as c;

insert into shop.products
select p, 'category ' || mod(p, 2), null, null, 5.00, timestamptz '2026-03-01Z' from generate_series(1, 3) as p;

create temporary table days on commit drop as
select n,
       (date '2026-03-25' + n)::timestamp at time zone 'Europe/Berlin' as first_instant,
       (date '2026-03-26' + n)::timestamp at time zone 'Europe/Berlin' - interval '1 microsecond' as last_instant
from generate_series(1, 6) as n;

insert into shop.orders
select 10 * n + part, part, case part when 1 then first_instant else last_instant end, 'completed', 'EUR',
       10 * n + 0.5, 1.25, null, last_instant
from days cross join generate_series(1, 2) as part;

insert into shop.order_items
select order_id, line, line, 2, 3.00, 0 from shop.orders cross join generate_series(1, 2) as line;

insert into shop.events
select 10 * n + part, case when part < 3 then part end, 's' || n, case part when 1 then first_instant
       when 2 then first_instant + interval '12 hours' else last_instant end,
       case part when 1 then 'campaign_sent' else 'product_view' end, 1, 'web',
       case part when 1 then '{"campaign_id": "spring"}'::jsonb end, last_instant
from days cross join generate_series(1, 3) as part;
"""


@dataclass(frozen=True)
class Shop:
    """A test's own copy of the six-day shop."""

    url: str
    admin_url: str
    admin: Engine
    timezone: str = TIMEZONE
    last_day: date = LAST_DAY

    def execute(self, sql: str, **parameters: Any) -> None:
        """Change the shop as its owner."""
        with self.admin.begin() as connection:
            connection.execute(text(sql), parameters)

    @property
    def now(self) -> datetime:
        """Four hours after the end of the last day."""
        return day_interval(self.last_day, self.timezone).end + timedelta(hours=4)


@pytest.fixture(scope="session")
def _six_day_template(server: Server) -> str:
    create_source(server, _TEMPLATE)
    engine = server.engine(_TEMPLATE)
    with engine.begin() as connection:
        connection.exec_driver_sql(_FILL)
    engine.dispose()
    return _TEMPLATE


@pytest.fixture
def shop(server: Server, _six_day_template: str) -> Iterator[Shop]:
    """Yield a fresh copy of the six-day shop."""
    database = f"six_days_{next(_numbers)}"
    create_database(server, database, template=_six_day_template)
    admin = server.engine(database)
    yield Shop(server.url(database, EXTRACT_ROLE), server.url(database), admin)
    admin.dispose()
    server.drop_database(database)


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """Return settings of the six-day shop, lake in the test's own folder."""
    return make_settings(timezone=TIMEZONE)


def read(settings: Settings, table: str, day: date) -> pa.Table:
    """Read one file of the raw lake."""
    return pq.read_table(settings.lake.path("raw", table, day=day) / "rows.parquet", partitioning=None)


def files(root: Path) -> dict[str, str]:
    """Return the hash of every file under ``root`` by relative path."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
