"""Fixtures that several test files share: a real server, a small simulated shop, an empty warehouse.

Databases are built once per test process as templates and copied for each test that asks, so that a test may
damage what it gets.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from segmentation.calendar import day_interval
from segmentation.catalog import EXTRACT_ROLE, PUBLISH_ROLE
from segmentation.config import Settings
from segmentation.demo import postgres
from segmentation.demo.postgres import Server
from segmentation.demo.source import create_database

_numbers = count(1)

SMALL_TIMEZONE = "Europe/Berlin"
SMALL_CUSTOMERS = 400
SMALL_FIRST_DAY = date(2026, 2, 1)
SMALL_LAST_DAY = date(2026, 6, 30)


@dataclass(frozen=True)
class SmallShop:
    """A test's own copy of a simulated shop of 400 customers.

    Attributes
    ----------
    url
        Login of the extract role (reads only, no personal data).
    admin
        Engine of the owner, to damage the shop with.
    timezone, first_day, last_day
        The shop's timezone, and the first and last day with orders and events.
    now
        04:00 local time after the last day: every day up to it is over.
    """

    url: str
    admin: Engine
    timezone: str
    first_day: date
    last_day: date
    now: datetime


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One embedded PostgreSQL per test process, stopped at the end."""
    # not under pytest's own folder: another session makes that private to root, and the server is not root
    with tempfile.TemporaryDirectory(prefix="segmentation-tests-") as folder:
        data_dir = Path(folder) / "data"
        yield postgres.start(data_dir)
        postgres.stop(data_dir, mode="immediate")


@pytest.fixture(scope="session")
def _store() -> Iterator[str]:
    """Address of a store that speaks S3: moto's server, a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            httpx.get(address)
            break
        except httpx.TransportError:
            time.sleep(0.1)
    yield address
    process.terminate()
    process.wait()


@pytest.fixture
def lake_url(_store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of a prefix in a new bucket, which the environment has address and login of."""
    for name, value in {
        "AWS_ENDPOINT_URL": _store,
        "AWS_ACCESS_KEY_ID": "an-access-key",
        "AWS_SECRET_ACCESS_KEY": "a-secret-key",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"lakes-{next(_numbers)}"
    httpx.put(f"{_store}/{bucket}").raise_for_status()
    return f"s3://{bucket}/shop"


@pytest.fixture
def make_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Return a factory of settings whose home is the test's own folder, whatever the environment says."""
    for name in [name for name in os.environ if name.startswith("SEGMENTATION_")]:
        monkeypatch.delenv(name)

    def make(timezone: str = SMALL_TIMEZONE, **changes: Any) -> Settings:
        return Settings(**{"home": tmp_path / "home", "timezone": timezone, **changes})

    return make


@pytest.fixture(scope="session")
def _small_shop_template(server: Server) -> str:
    from segmentation.demo.simulator import load_simulated

    load_simulated(
        server,
        database="small_shop_template",
        customers=SMALL_CUSTOMERS,
        first_day=SMALL_FIRST_DAY,
        last_day=SMALL_LAST_DAY,
        timezone=SMALL_TIMEZONE,
    )
    return "small_shop_template"


@pytest.fixture
def small_shop(server: Server, _small_shop_template: str) -> Iterator[SmallShop]:
    """Copy the small simulated shop for one test."""
    database = f"small_shop_{next(_numbers)}"
    create_database(server, database, template=_small_shop_template)
    admin = server.engine(database)
    after = day_interval(SMALL_LAST_DAY, SMALL_TIMEZONE).end
    yield SmallShop(
        server.url(database, EXTRACT_ROLE),
        admin,
        SMALL_TIMEZONE,
        SMALL_FIRST_DAY,
        SMALL_LAST_DAY,
        after + timedelta(hours=4),
    )
    admin.dispose()
    server.drop_database(database)


@pytest.fixture
def shop_url(small_shop: SmallShop) -> str:
    """URL of a fresh copy of the small simulated shop, as the extract role."""
    return small_shop.url


@pytest.fixture(scope="session")
def _warehouse_template(server: Server) -> str:
    from segmentation.publish.migrate import migrate

    server.create_database("warehouse_template")
    migrate(server.url("warehouse_template"))
    return "warehouse_template"


@pytest.fixture
def warehouse_database(server: Server, _warehouse_template: str) -> Iterator[str]:
    """Name of a freshly migrated, empty warehouse database on ``server``."""
    yield from _fresh_warehouse(server, _warehouse_template)


@pytest.fixture
def other_warehouse(server: Server, _warehouse_template: str) -> Iterator[str]:
    """Name of a second one, for a test that compares two."""
    yield from _fresh_warehouse(server, _warehouse_template)


def _fresh_warehouse(server: Server, template: str) -> Iterator[str]:
    from segmentation.publish.roles import grant_warehouse_roles

    database = f"warehouse_{next(_numbers)}"
    server.create_database(database, template=template)
    # rights on the database itself are not copied with it
    admin = server.engine(database)
    grant_warehouse_roles(admin)
    admin.dispose()
    yield database
    server.drop_database(database)


@pytest.fixture
def warehouse(server: Server, warehouse_database: str) -> Iterator[Engine]:
    """Engine of a freshly migrated, empty warehouse, logged in as the publish role."""
    engine = server.engine(warehouse_database, PUBLISH_ROLE)
    yield engine
    engine.dispose()
