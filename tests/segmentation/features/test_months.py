"""A history that was brought forward gives the bytes of one spread anew, and only changed months are read again."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segmentation.catalog import CHECKED, DAILY_TABLES, EVENTS, HISTORY, ORDER_ITEMS, ORDERS
from segmentation.config import Settings
from segmentation.features.build_features import build_features
from segmentation.features.history import open_database
from segmentation.features.months import KeptMonth, bring_forward, checked_days, unused
from segmentation.lake import Lake, content_hash

DAY = date(2026, 3, 20)
#: `conftest.HandmadeShop` (test folders are no packages, so the class cannot be imported).
HandmadeShop = Any
NewShop = Callable[..., HandmadeShop]


@pytest.fixture
def shop(new_shop: NewShop) -> HandmadeShop:
    """Forty customers from November to April, in two currencies; the checked files of all days, and their manifests."""
    shop = new_shop("Europe/Berlin", training_cutoffs=2, sequence_length=8)
    shop.settings = shop.settings.model_copy(update={"reporting_currency": "EUR"})
    draws = np.random.default_rng(5)
    for product in range(12):
        shop.product(f"p{product}", f"category {product % 4}")
    shop.rate("2025-11-01", "USD", 0.5)
    for day in range(0, 160, 5):
        shop.rate(str(date(2025, 11, 1) + timedelta(days=day)), "USD", 0.8 + day / 1000)
    for number in range(400):
        day = date(2025, 11, 1) + timedelta(days=int(draws.integers(0, 160)))
        shop.order(
            f"o{number}", f"c{draws.integers(0, 40)}", f"{day} {draws.integers(0, 24):02d}:15",
            float(draws.integers(5, 90)),
            items={f"p{product}": float(draws.integers(1, 30)) for product in draws.choice(12, 2, replace=False)},
            currency=str(draws.choice(["EUR", "USD"])),
        )  # fmt: skip
    for number in range(1500):
        day, customer = date(2025, 11, 1) + timedelta(days=int(draws.integers(0, 160))), draws.integers(0, 45)
        shop.event(
            f"e{number}", f"c{customer}", f"{day} {draws.integers(0, 24):02d}:40",
            str(draws.choice(["product_view", "add_to_cart", "purchase"])), f"{customer}-{day}",
            product=f"p{draws.integers(0, 12)}",
        )  # fmt: skip
    for customer in range(50):
        shop.customer(f"c{customer}", "2025-12-01 10:00")
    shop.order("guest", None, "2026-02-02 10:00", 9.0, items={"p1": 9.0})
    write(shop, DAY)
    return shop


def write(shop: HandmadeShop, *nights: date) -> None:
    """Write the checked files with the nights' snapshots, and manifests as validation does."""
    lake = shop.settings.lake
    for night in nights:
        shop.write(night)
    for day in {day for table in DAILY_TABLES for day in lake.days(CHECKED, table)}:
        files = {table: lake.rows_file(CHECKED, table, day) for table in DAILY_TABLES}
        hashes = {table: content_hash(file) for table, file in files.items() if file.exists()}
        lake.write_json({"hashes": hashes, "files_hash": "", "rows_ok": {}}, lake.day_manifest(CHECKED, day))


def row(shop: HandmadeShop, table: str, key: str) -> dict[str, Any]:
    return next(one for one in shop.rows[table] if key in (one.get("order_id"), one.get("event_id")))


def built(settings: Settings, day: date) -> dict[str, str]:
    """Build a night's features, and return the hashes of all files of it."""
    lake = settings.lake
    build_features(settings, day, warm=False)
    files = [file for name in ("features", "windows") for file in lake.path(name, day=day).rglob("*.parquet")]
    return {str(file.relative_to(lake.root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)}


def built_from_nothing(settings: Settings, day: date, tmp_path: Path) -> dict[str, str]:
    """Build the same night in a lake that has the checked rows and nothing else."""
    anew = settings.model_copy(update={"home": tmp_path / "anew"})
    shutil.copytree(settings.lake.root / CHECKED, anew.lake.root / CHECKED)
    return built(anew, day)


def versions(lake: Lake) -> dict[str, str]:
    return {month: kept.version for month in checked_days(lake) if (kept := KeptMonth.read(lake, month))}


def late_rows(shop: HandmadeShop) -> None:
    shop.order("late", "c3", "2025-12-30 09:00", 77.0, items={"p1": 70.0, "p2": 7.0})
    shop.event("late", "c44", "2026-01-02 09:00", "product_view", "late", product="p1")


def what_became_of_orders(shop: HandmadeShop) -> None:
    days = sorted(shop.rows["orders"], key=lambda one: one["ordered_at"])
    days[20].update(status="returned", updated_at=shop.at("2026-03-20 10:00"))
    days[150].update(status="cancelled", updated_at=shop.at("2026-03-19 10:00"))


def orders_of_several_days(shop: HandmadeShop) -> None:
    # moved to the month before, and to another customer, after it was loaded
    shop.order("o7", "c1", "2025-11-03 10:00", 12.0, updated="2026-03-01 10:00", items={"p3": 12.0})
    shop.order("o8", "c2", "2026-03-18 10:00", 13.0, items={"p4": 13.0}, currency="USD")
    # became a guest's, and was a guest's
    shop.order("o9", None, "2026-03-18 10:00", 14.0, items={"p4": 14.0})
    shop.order("guest", "c5", "2026-03-17 10:00", 15.0, items={"p5": 15.0})
    # a day that is not there yet as of the night
    shop.order("o10", "c6", "2026-03-25 10:00", 16.0, items={"p6": 16.0})


def lines_away_from_their_order(shop: HandmadeShop) -> None:
    for key, at in (("o11", "2026-03-02 10:00"), ("o12", "2025-11-05 10:00"), ("nobody's", "2026-01-05 10:00")):
        shop.add(
            "order_items",
            order_id=key,
            line_no=9,
            product_id="p7",
            quantity=2.0,
            unit_price=4.0,
            ordered_at=shop.at(at),
        )


def events_of_several_days(shop: HandmadeShop) -> None:
    for key, at in (("e1", "2025-11-20 10:00"), ("e2", "2026-03-19 10:00"), ("e3", "2026-03-28 10:00")):
        shop.event(key, "c1", at, "add_to_cart", "again", product="p1")
    for _ in range(2):
        shop.event(None, "c1", "2026-01-20 10:00", "product_view", "no key", product="p1")


def other_snapshots(shop: HandmadeShop) -> None:
    for product in shop.rows["products"][::2]:
        product["category"] = "renamed"
    for rate in shop.rows["rates"]:
        rate["rate"] *= 2
    del shop.rows["customers"][40:45]


def fewer_rows(shop: HandmadeShop) -> None:
    del shop.rows["events"][::7]
    del shop.rows["orders"][:3]


def nothing(shop: HandmadeShop) -> None:
    pass


CHANGES = [nothing, late_rows, what_became_of_orders, orders_of_several_days, lines_away_from_their_order,
           events_of_several_days, other_snapshots, fewer_rows]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_history_that_is_kept_gives_the_same_bytes(
    shop: HandmadeShop, change: Callable[[HandmadeShop], None], tmp_path: Path
) -> None:
    before = built(shop.settings, DAY)
    change(shop)
    write(shop, DAY)
    found = built(shop.settings, DAY)
    assert found == built_from_nothing(shop.settings, DAY, tmp_path)
    assert (found == before) == (change is nothing)


@pytest.mark.parametrize("last", [DAY + timedelta(days=3), DAY - timedelta(days=30)], ids=["forward", "backfill"])
def test_changes_in_turn_and_other_buckets_give_the_same_bytes(shop: HandmadeShop, last: date, tmp_path: Path) -> None:
    nights = [DAY, DAY + timedelta(days=1), last]
    for night, changes in zip(nights, (CHANGES[:3], CHANGES[3:6], CHANGES[6:]), strict=True):
        for change in changes:
            change(shop)
        write(shop, night)
        found = built(shop.settings, night)
    three = shop.settings.features.model_copy(update={"buckets": 3})
    shop.settings = shop.settings.model_copy(update={"features": three})
    assert built(shop.settings, last) != found
    assert built(shop.settings, last) == built_from_nothing(shop.settings, last, tmp_path)


def test_a_month_without_a_changed_day_is_not_read(shop: HandmadeShop) -> None:
    lake = shop.settings.lake
    before = built(shop.settings, DAY)
    first = versions(lake)
    assert list(first) == ["2025-11", "2025-12", "2026-01", "2026-02", "2026-03"]
    for table in DAILY_TABLES:
        for day in lake.days(CHECKED, table):
            if day < date(2026, 3, 1):
                lake.rows_file(CHECKED, table, day).write_bytes(b"nobody can read this")
    assert built(shop.settings, DAY) == before
    assert versions(lake) == first
    # of a later night only the months with another hash are spread again
    manifest = lake.day_manifest(CHECKED, date(2026, 3, 3))
    told = json.loads(manifest.read_text())
    lake.write_json(told | {"hashes": told["hashes"] | {ORDERS: "another"}}, manifest)
    assert built(shop.settings, DAY) == before
    assert {month for month, version in versions(lake).items() if version != first[month]} == {"2026-03"}


def test_the_version_before_stays_for_a_day_and_what_nobody_names_is_unused(shop: HandmadeShop) -> None:
    lake = shop.settings.lake
    built(shop.settings, DAY)
    first = versions(lake)["2025-12"]
    late_rows(shop)
    write(shop, DAY)
    built(shop.settings, DAY)
    kept = KeptMonth.read(lake, "2025-12")
    assert kept is not None
    folder = lake.path(HISTORY, month="2025-12")
    assert {path.name for path in folder.iterdir()} == {f"version={kept.version}", f"version={first}"}
    assert unused(lake) == []
    left, under_way = (
        f"version={datetime.now(UTC) - timedelta(hours=hours):%Y%m%dT%H%M%SZ}-killed" for hours in (25, 23)
    )
    for version in (left, under_way):
        (folder / version / ORDERS / "bucket=0").mkdir(parents=True)
    assert unused(lake) == [folder / left, folder / under_way]
    lake.write_json(
        json.loads((lake.path(HISTORY, "_months") / "2025-12.json").read_text())
        | {"replaced_at": (datetime.now(UTC) - timedelta(days=1, hours=1)).isoformat()},
        lake.path(HISTORY, "_months") / "2025-12.json",
    )
    built(shop.settings, DAY)
    assert {path.name for path in folder.iterdir()} == {f"version={kept.version}", under_way}
    # a month that the lake has no days of any more
    for table in DAILY_TABLES:
        for day in lake.days(CHECKED, table):
            if day < date(2025, 12, 1):
                lake.remove(lake.path(CHECKED, table, day=day))
    assert lake.path(HISTORY, month="2025-11") in {path.parent for path in unused(lake)}


def spread_alone(settings: Settings) -> None:
    scratch = settings.home / str(os.getpid())
    scratch.mkdir()
    with open_database(settings, scratch) as connection:
        bring_forward(connection, settings.lake, settings.features.buckets, DAY, scratch)


def test_writers_that_are_killed_or_write_at_once_leave_whole_months(shop: HandmadeShop, tmp_path: Path) -> None:
    settings = shop.settings
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=spread_alone, args=(settings,)) for _ in range(3)]
    for writer in writers:
        writer.start()
    killed = writers.pop()
    while not list(settings.lake.path(HISTORY).rglob("*.parquet")) and killed.is_alive():
        time.sleep(0.01)
    assert killed.pid is not None
    os.kill(killed.pid, signal.SIGKILL)
    for writer in (*writers, killed):
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert built(settings, DAY) == built_from_nothing(settings, DAY, tmp_path)
    for month, version in versions(settings.lake).items():
        folder = settings.lake.path(HISTORY, month=month, version=version)
        listed = json.loads((folder / "month.json").read_text())
        named = {folder / table / name for table, of in listed.items() for names in of.values() for name in names}
        assert named == set(folder.rglob("*.parquet")), month
        assert set(listed) == {ORDERS, ORDER_ITEMS, EVENTS}
