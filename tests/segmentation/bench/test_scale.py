"""The benchmark of scale runs real nights: its table must hold every step, and its last day must really come last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text

from segmentation.bench.apart import work_apart
from segmentation.bench.scale import FIRST, FOLLOWING, run_scale, scale_table
from segmentation.calendar import day_interval
from segmentation.catalog import EVENTS, RAW
from segmentation.config import Settings
from segmentation.demo import postgres
from segmentation.demo.postgres import Server
from segmentation.demo.simulator import TIMEZONE, simulate, simulate_blocks
from segmentation.errors import InvalidSetting
from segmentation.night import STEPS

CUSTOMERS, EVENTS_WANTED = 400, 11_000


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[Server]:
    data_dir = tmp_path / "postgres"
    yield postgres.start(data_dir)
    postgres.stop(data_dir, mode="immediate")


@pytest.mark.timeout(1500)
def test_two_nights_of_a_small_shop_are_told_step_by_step(
    make_settings: Callable[..., Settings], fresh_server: Server, tmp_path: Path
) -> None:
    settings = make_settings(encoder={"minimum_customers": 50, "cold_epochs": 1, "warm_epochs": 1})
    found = run_scale(settings, fresh_server, tmp_path / "scale", CUSTOMERS, EVENTS_WANTED)

    assert found.shop.rows["customers"] == CUSTOMERS
    assert found.shop.rows["events"] == pytest.approx(EVENTS_WANTED, rel=0.15)
    for night in (FIRST, FOLLOWING):
        steps = {one.step: one for one in found.measured if one.night == night}
        trained = [*STEPS[:4], "encode: train", "encode: embed", *STEPS[4:6]]
        # a shop this small may be held by the gates
        assert [name for name in steps if name not in ("publish", "hold")] == trained
        assert len(steps) == len(trained) + 1
        for name, one in steps.items():
            assert one.rows > 0, (night, name)
            assert one.seconds > 0, (night, name)
            if ":" not in name:
                assert one.cost is not None
                # an interpreter alone is 10 MB
                assert one.cost.peak > 30e6, (night, name)
        features = steps["features"].cost
        assert features is not None
        assert features.written > 100_000
        limits = {name: one.limit.name for name, one in steps.items() if one.limit}
        assert limits["extract"] == "raw binary COPY"
        assert limits["features"] == "DuckDB alone"
        assert limits["encode: train"] == limits["encode: embed"] == "Keras in memory"
        if "publish" in steps:
            assert limits["publish"] == "COPY and one upsert"

    # both ways read the same rows of the whole history
    first = found.measured[0]
    assert first.limit is not None
    anonymous_and_all = sum(found.shop.rows[table] for table in ("events", "orders", "order_items"))
    assert first.limit.rows < anonymous_and_all, "the last day is not there yet"
    products_and_customers = found.shop.rows["products"] + found.shop.rows["customers"]
    assert 0 <= first.rows - first.limit.rows <= products_and_customers

    # the following night fetched the last day and days before it whose rows came late or changed
    lake = settings.model_copy(update={"home": tmp_path / "scale"}).lake
    assert lake.days(RAW, EVENTS)[-1] == found.shop.last_day
    following = next(one for one in found.measured if one.night == FOLLOWING)
    assert 0 < following.rows < first.rows
    with fresh_server.engine(found.shop.database).connect() as connection:
        last_day = day_interval(found.shop.last_day, TIMEZONE)
        # the runs within the day after have added to it
        count = text("select count(*) from shop.events where loaded_at < :end")
        assert connection.scalar(count, {"end": last_day.end}) == found.shop.rows["events"]
        newest = connection.scalar(text("select max(updated_at) from shop.orders"))
        assert newest >= last_day.start
        assert connection.scalar(text("select count(*) from shop.orders where status <> 'completed'")) > 0

    table = scale_table(found).splitlines()
    assert table[0].startswith(f"{CUSTOMERS} customers, ")
    assert sum(line.startswith("| first |") for line in table) == 10
    assert sum("| the night |" in line for line in table) == 2
    assert len({line.count("|") for line in table[2:24]}) == 1
    # so few customers get RFM segments, which only nights bring forward
    assert found.changed == 2
    assert found.no_runs
    assert table[-1].endswith(f"no run. {found.no_runs}")


def test_blocks_make_one_shop() -> None:
    days = {"first_day": date(2025, 3, 1), "last_day": date(2025, 3, 31)}
    whole = list(simulate_blocks(250, 100, **days))
    for key, table in (("customer_id", "customers"), ("order_id", "orders"), ("event_id", "events")):
        keys = pd.concat([shop.tables[table][key] for shop in whole])
        assert keys.is_unique, table
        assert len(keys) == keys.max() - keys.min() + 1, table
    events = pd.concat([shop.events for shop in whole])
    assert events["session_id"].nunique() == sum(shop.events["session_id"].nunique() for shop in whole)
    for shop in whole:
        customers = set(shop.customers["customer_id"])
        assert set(shop.orders["customer_id"]) <= customers
        assert set(shop.events["customer_id"].dropna()) <= customers
        placed = shop.events.loc[shop.events["event_type"] == "purchase", "properties"].astype(str)
        assert sorted(placed) == sorted(f'{{"order_id": {number}}}' for number in shop.orders["order_id"])
        pd.testing.assert_frame_equal(shop.products, whole[0].products)
    pd.testing.assert_frame_equal(whole[0].events, simulate(100, **days).events)
    assert not whole[0].orders["ordered_at"].equals(whole[1].orders["ordered_at"])


def test_a_slower_pace_leaves_fewer_events() -> None:
    usual, slow = (next(simulate_blocks(300, 300, pace=pace)) for pace in (1.0, 0.15))
    assert len(slow.orders) < 0.3 * len(usual.orders)


def test_work_apart_tells_its_own_memory_and_bytes(tmp_path: Path) -> None:
    held = bytearray(300_000_000)
    (tmp_path / "in").write_bytes(bytes(5_000_000))
    size, cost = work_apart(_copy, tmp_path / "in", tmp_path / "out")
    assert size == 5_000_000
    assert cost.seconds >= 0.1 > cost.cpu > 0
    assert 5_000_000 <= cost.read < 10_000_000
    assert 5_000_000 <= cost.written < 6_000_000
    assert cost.peak < len(held), "what this process holds is not counted"
    with pytest.raises(FileNotFoundError):
        work_apart(_copy, tmp_path / "absent", tmp_path / "out")


def test_an_error_of_work_apart_is_told_as_it_was_raised() -> None:
    with pytest.raises(InvalidSetting, match="SEGMENTATION_HOME is 'x': write another") as caught:
        work_apart(_refuse)
    assert caught.value.name == "SEGMENTATION_HOME"


def _refuse() -> None:
    raise InvalidSetting("SEGMENTATION_HOME", "x", "write another.")


def _copy(source: Path, target: Path) -> int:
    time.sleep(0.1)
    return target.write_bytes(source.read_bytes())
