"""Old things go, and whatever a day within the policy needs to be run again stays: it comes out as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, text

from segmentation.catalog import CHECKED, FEATURES, HISTORY, OUTLOOK, RAW, SEGMENTATIONS
from segmentation.config import Settings
from segmentation.demo.postgres import Server
from segmentation.housekeeping.tidy import tidy
from segmentation.night import run_night

if TYPE_CHECKING:
    from conftest import SmallShop

NOW = datetime(2026, 7, 1, tzinfo=UTC)
NEWEST = date(2026, 6, 30)


def rows(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text(query)))


def do(engine: Engine, statement: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


@pytest.mark.timeout(400)
def test_a_day_within_the_policy_runs_again_as_it_was(
    make_settings: Callable[..., Settings],
    small_shop: SmallShop,
    server: Server,
    warehouse: Engine,
    warehouse_database: str,
) -> None:
    from segmentation.catalog import PUBLISH_ROLE

    settings = make_settings(
        housekeeping={"backfill_days": 1, "working_days": 1, "quarantine_days": 1, "pages_days": 1},
        encoder={"cold_epochs": 1, "warm_epochs": 1},
        features={"training_cutoffs": 1},
        clusters={"k_max": 4, "bootstraps": 2},
    )
    url = server.url(warehouse_database, PUBLISH_ROLE)
    days = [small_shop.last_day - timedelta(days=back) for back in (4, 3, 1, 0)]

    def night(day: date) -> Any:
        done = run_night(settings, day, small_shop.url, url, now=small_shop.now)
        assert done.published
        return done

    for day in days:
        night(day)
    query = (
        "select business_day, segmentation_version, model_version from ops.runs where status = 'published' order by 1"
    )
    published = rows(warehouse, query)
    files = {file for file in settings.home.rglob("*") if file.is_file()}

    # what was written just now may be of a night under way
    assert set(tidy(settings, warehouse, small_shop.now).removed.values()) == {0}
    age(settings.home)
    told = tidy(settings, warehouse, small_shop.now)
    assert told.dry_run
    assert {file for file in settings.home.rglob("*") if file.is_file()} == files
    done = tidy(settings, warehouse, small_shop.now, dry_run=False)
    assert (done.removed, done.megabytes) == (told.removed, told.megabytes)

    lake = settings.lake
    assert lake.days(FEATURES) == lake.days(OUTLOOK) == lake.days(RAW, "customers") == days[2:]
    # the oldest day of the policy builds on the one before it
    assert [len(list(lake.path(SEGMENTATIONS, day=day).glob("version=*"))) for day in days] == [0, 1, 1, 1]
    assert sorted(path.parent.name for path in settings.models.glob("*/weights.npz")) == sorted(
        {row.model_version for row in published[1:]}
    )
    gone = rows(warehouse, "select model_version, removed_reason from ops.models where removed_at is not null")
    assert [tuple(row) for row in gone] == [(published[0].model_version, "older than the policy keeps")]
    # the history is all there: no old day is fetched or checked again
    assert len(lake.days(CHECKED, "orders")) > 100
    again = night(days[2])
    assert again.results["extract"].days_extracted == [str(days[2])]
    assert again.results["encode"].parent_version == published[1].model_version
    assert rows(warehouse, query) == published
    assert rows(warehouse, "select count(*) from ops.runs where stale") == [(0,)]
    assert not tidy(settings, warehouse, small_shop.now, dry_run=False).removed.get("models")


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


def age(folder: Path) -> None:
    """Let everything below a folder be written long ago."""
    for path in folder.rglob("*"):
        os.utime(path, (0, 0))


def put(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * 1000)


def published(warehouse: Engine, day: date, version: str, model: str = "rfm", status: str = "published") -> None:
    do(
        warehouse,
        "insert into ops.runs (run_id, business_day, status, started_at, segmentation_version, model_version) "
        "values (:run, :day, :status, :at, :version, :model)",
        run=f"{day}-{version}",
        day=day,
        status=status,
        at=NOW,
        version=version,
        model=model,
    )


def test_each_kind_goes_by_its_own_age(settings: Settings, warehouse: Engine, tmp_path: Path) -> None:
    published(warehouse, NEWEST, "v1")
    lake, log = settings.lake, tmp_path / "logs" / "dag_id=x" / "attempt=1.log"
    old, young = NEWEST - timedelta(days=91), NEWEST - timedelta(days=89)
    kept = [
        lake.path("quarantine", "orders", day=young) / "rows.parquet",
        lake.path(RAW, "orders", day=old) / "rows.parquet",
        lake.path(CHECKED, "events", day=old) / "rows.parquet",
        settings.reports / f"{old}.html",
        lake.path(SEGMENTATIONS, day=NEWEST, version="v0") / "labels.parquet",
        log,
    ]
    gone = [
        lake.path("quarantine", "orders", day=old) / "rows.parquet",
        lake.path(RAW, "customers", day=old) / "rows.parquet",
        lake.path(FEATURES, day=young, bucket="00") / "static.parquet",
        lake.path(SEGMENTATIONS, day=young, version="v0") / "labels.parquet",
        settings.data_docs / "2020-01-01" / "index.html",
        log.with_name("attempt=0.log"),
        lake.path(HISTORY, month="2026-06", version="killed") / "events" / "bucket=0" / "data_0.parquet",
    ]
    put(*kept, *gone)
    age(settings.home)
    os.utime(log.with_name("attempt=0.log"), (0, 0))
    os.utime(log, (NOW.timestamp(), NOW.timestamp()))
    do(warehouse, "insert into ops.downloads (at, username, kind, subject, rows) values (:at, 'u', 'audience', 's', 1)",
       at=NOW - timedelta(days=366))  # fmt: skip
    logs = [tmp_path / "logs" / "dag_id=x"]

    told = tidy(settings, warehouse, NOW, logs=logs)
    assert told.removed == {
        "features": 1, "customers": 1, "segmentations": 1, "quarantine": 1, "data_docs": 1, "logs": 1, "downloads": 1,
        "history": 1,
    }  # fmt: skip
    assert all(file.exists() for file in gone)
    tidy(settings, warehouse, NOW, logs=logs, dry_run=False)
    assert [file for file in gone if file.exists()] == []
    assert [file for file in kept if not file.exists()] == []
    assert rows(warehouse, "select count(*) from ops.downloads") == [(0,)]


def test_a_night_that_runs_or_waits_for_a_decision_keeps_its_files(settings: Settings, warehouse: Engine) -> None:
    published(warehouse, NEWEST, "v1")
    for number, status in enumerate(("running", "held", "failed")):
        day = NEWEST - timedelta(days=30 + number)
        published(warehouse, day, "v2", status=status)
        put(settings.lake.path(FEATURES, day=day) / "no_order.parquet")
        put(settings.lake.path(SEGMENTATIONS, day=day, version="v2") / "labels.parquet")
    age(settings.home)
    tidy(settings, warehouse, NOW, dry_run=False)
    assert settings.lake.days(FEATURES) == [NEWEST - timedelta(days=31), NEWEST - timedelta(days=30)]


def test_without_a_published_night_nothing_goes(settings: Settings, warehouse: Engine) -> None:
    file = settings.lake.path(FEATURES, day=date(2020, 1, 1)) / "no_order.parquet"
    put(file)
    assert tidy(settings, warehouse, NOW, dry_run=False).removed == {"downloads": 0}
    assert file.exists()
