"""A small shop with one published night that has a model, copied for each test that asks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, text

from segmentation.calendar import day_interval
from segmentation.catalog import EXTRACT_ROLE, PUBLISH_ROLE
from segmentation.config import Settings
from segmentation.demo.postgres import Server
from segmentation.intraday.run_intraday import IntradayResult, run_intraday
from segmentation.night import run_night
from segmentation.publish.migrate import migrate
from segmentation.publish.roles import grant_warehouse_roles

if TYPE_CHECKING:
    from conftest import SmallShop

#: As little training as makes a model.
QUICK: dict[str, Any] = {
    "features": {"training_cutoffs": 1},
    "encoder": {"cold_epochs": 1, "warm_epochs": 1},
    "clusters": {"k_max": 4, "bootstraps": 2},
}
#: Of the small simulated shop.
TIMEZONE, NIGHT = "Europe/Berlin", date(2026, 6, 30)
_numbers = count(1)


@dataclass
class Morning:
    """A shop whose last night is published, and whose next day has begun.

    Attributes
    ----------
    night : business day of the published night
    today : the day after; the source has no row of it yet
    noon : 12:00 local time of today
    """

    settings: Settings
    shop: Engine
    shop_url: str
    warehouse: Engine
    warehouse_url: str
    warehouse_admin: Engine
    night: date

    @property
    def today(self) -> date:
        return self.night + timedelta(days=1)

    @property
    def noon(self) -> datetime:
        return day_interval(self.today, self.settings.timezone).start + timedelta(hours=12)

    def run(self, now: datetime | None = None, **settings: Any) -> IntradayResult:
        changed = self.settings.model_copy(update=settings)
        return run_intraday(changed, self.shop_url, self.warehouse, "within", now or self.noon)

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with self.warehouse.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def current(self) -> list[tuple[Any, ...]]:
        return self.rows("select * from marts.customer_segments order by customer_id")

    def warehouse_admin_do(self, *statements: str) -> None:
        with self.warehouse_admin.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def shop_rows(self, query: str) -> list[Any]:
        """Return the first column of a query on the shop."""
        with self.shop.connect() as connection:
            return list(connection.scalars(text(query)))

    def shop_do(self, *statements: str) -> None:
        with self.shop.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))


@pytest.fixture(scope="session")
def _published(
    server: Server, _small_shop_template: str, _warehouse_template: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """Run one night with a model, once per test process: (home, warehouse database)."""
    home, database = tmp_path_factory.mktemp("published"), "published_night"
    server.create_database(database)
    migrate(server.url(database))
    admin = server.engine(database)
    grant_warehouse_roles(admin)
    admin.dispose()
    settings = Settings(home=home, timezone=TIMEZONE, **QUICK)
    source = server.url(_small_shop_template, EXTRACT_ROLE)
    now = day_interval(NIGHT, TIMEZONE).end + timedelta(hours=4)
    assert run_night(settings, NIGHT, source, server.url(database, PUBLISH_ROLE), now=now).published
    return home, database


@pytest.fixture
def morning(
    make_settings: Callable[..., Settings], server: Server, small_shop: SmallShop, _published: tuple[Path, str]
) -> Iterator[Morning]:
    """Return a copy of the shop, its lake and its warehouse on the day after the published night."""
    home, template = _published
    assert (small_shop.timezone, small_shop.last_day) == (TIMEZONE, NIGHT)
    settings = make_settings(small_shop.timezone, **QUICK)
    shutil.copytree(home, settings.home)
    database = f"morning_{next(_numbers)}"
    server.create_database(database, template=template)
    admin = server.engine(database)
    grant_warehouse_roles(admin)
    warehouse = server.engine(database, PUBLISH_ROLE)
    url = server.url(database, PUBLISH_ROLE)
    yield Morning(settings, small_shop.admin, small_shop.url, warehouse, url, admin, NIGHT)
    warehouse.dispose()
    admin.dispose()
    server.drop_database(database)
