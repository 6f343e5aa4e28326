"""The shop that `segmentation bench scale` runs on: as large as asked for, with a last day that comes afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, text

from segmentation.calendar import day_interval
from segmentation.catalog import EXTRACT_ROLE
from segmentation.demo.postgres import Server
from segmentation.demo.simulator import TIMEZONE, simulate_blocks
from segmentation.demo.source import SHOP_TABLES, copy_frame, load_source

_SQL = Path(__file__).parent
_DATABASE = "bench_scale"
_LAST_DAY = date(2026, 6, 30)
_SEED = 1
#: Customers simulated at a time: about 1 GB of memory at 100 events each.
_BLOCK = 20_000
#: How often customers come, in times of the demo's shop, so that they leave `EVENTS_A_DAY`.
PACE = 0.15
#: Events a day and customer: 300,000 a day of a million customers.
EVENTS_A_DAY = 0.3


@dataclass(frozen=True)
class ScaleShop:
    """A filled source.

    Attributes
    ----------
    database
        Its name on the server.
    url
        URL of the extract role.
    days
        Business days with rows.
    last_day
        The newest of them; held back until `let_last_day_in`.
    rows
        Rows per table, the last day's included.
    """

    database: str
    url: str
    days: int
    last_day: date
    rows: dict[str, int]


def fill_shop(server: Server, customers: int, events: int) -> ScaleShop:
    """Simulate a shop into a database, block by block, and hold back its last day.

    Parameters
    ----------
    server : Server
        A fresh server.
    customers : int
        Registered customers.
    events : int
        Events wanted, about: `EVENTS_A_DAY` settles how many days that takes.
    """
    days = max(round(events / customers / EVENTS_A_DAY), 1)
    first_day = _LAST_DAY - timedelta(days=days - 1)

    def fill(connection: Connection) -> tuple[dict[str, int], dict[str, str]]:
        rows = dict.fromkeys(SHOP_TABLES, 0)
        blocks = simulate_blocks(
            customers, _BLOCK, _SEED, first_day=first_day, last_day=_LAST_DAY, timezone=TIMEZONE, pace=PACE
        )
        for shop in blocks:
            for table, frame in shop.tables.items():
                # every block has the same products
                if table != "products" or not rows[table]:
                    rows[table] += copy_frame(connection, f"shop.{table}", frame)
        return rows, {}

    report = load_source(server, _DATABASE, {"customers": customers, "events": events}, SHOP_TABLES, fill)
    shop = ScaleShop(_DATABASE, server.url(_DATABASE, EXTRACT_ROLE), days, _LAST_DAY, report.rows)
    _run(server, shop, "hold_back_last_day", start=day_interval(shop.last_day, TIMEZONE).start)
    return shop


def let_last_day_in(server: Server, shop: ScaleShop) -> None:
    """Add the rows of the last day, late rows of earlier days, and what became of earlier orders."""
    _run(server, shop, "let_last_day_in")


def _run(server: Server, shop: ScaleShop, name: str, **values: datetime) -> None:
    engine = server.engine(shop.database)
    with engine.begin() as connection:
        connection.execute(text((_SQL / f"{name}.sql").read_text()), values)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # the first reader after a load would pay for marking every row as visible
        connection.execute(text("vacuum analyze"))
    engine.dispose()
