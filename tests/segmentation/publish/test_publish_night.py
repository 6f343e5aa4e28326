"""A publication is whole or it is not: for readers, for killed publishers, for a second attempt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from segmentation import runs
from segmentation.catalog import MARKETING_ROLE
from segmentation.config import PublishSettings
from segmentation.connections import sqlalchemy_url
from segmentation.demo.postgres import Server
from segmentation.errors import (
    DatabaseUnreachable,
    LedgerBehind,
    MissingInput,
    PermissionMissing,
    Retryable,
    WarehouseBusy,
    WarehouseNotReady,
)
from segmentation.publish.publish_night import publish_night

ALL = {f"c{n}": 1 + n % 3 for n in range(1, 41)} | {"x1": 0}
MOVED = {**ALL, "c1": 1, "c2": 1, "c50": 2}
MARTS = (
    "customer_segments",
    "customer_segment_history",
    "customer_taste_history",
    "segments",
    "tastes",
    "segment_profiles",
    "segment_transitions",
    "segment_lifecycle",
    "segment_revenue_bridge",
)


@pytest.fixture
def owner(server: Server, warehouse_database: str) -> Iterator[Engine]:
    engine = server.engine(warehouse_database)
    yield engine
    engine.dispose()


def marts(nights: Any, without: tuple[str, ...] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the marts as text, in a fixed order."""
    return {
        table: nights.rows(
            f"select to_jsonb(t) - array{list(without)}::text[] as row from marts.{table} t order by t::text"
        )
        for table in MARTS
    }


def test_the_first_night_fills_every_table(nights: Any) -> None:
    result = nights.night(0, ALL)
    assert (result.customers, result.is_newest, result.changed, result.stale_days) == (41, True, True, [])
    assert result.message == "Published 41 customers in 4 segments for 2026-03-01."
    assert nights.rows(
        "select segment_id, segment_name, since, previous_segment_id, as_of, model_version, reasons "
        "from marts.customer_segments where customer_id = 'c1'"
    ) == [
        (
            2,
            "Rare bargain hunters",
            date(2026, 3, 1),
            None,
            date(2026, 3, 1),
            "rfm",
            ['buys "c1", often\\', "few, discounts"],
        )
    ]
    assert nights.rows("select status, base_day, customers, segmentation_version from ops.runs") == [
        ("published", None, 41, nights.versions[0])
    ]


def test_the_same_night_again_changes_nothing_but_the_run(nights: Any) -> None:
    nights.night(0, ALL)
    nights.night(1, MOVED, base=ALL)
    before = marts(nights)
    result = nights.publish(1)
    assert not result.changed
    assert result.stale_days == []
    assert marts(nights) == before
    assert nights.rows("select status from ops.runs where business_day = '2026-03-02' order by started_at") == [
        ("superseded",), ("published",)
    ]  # fmt: skip


def test_a_cleared_run_publishes_again_under_its_own_id(nights: Any) -> None:
    nights.night(0, ALL)
    before = marts(nights)
    nights.count = 0
    assert not nights.publish(0).changed
    assert marts(nights) == before
    assert nights.rows("select run_id, status from ops.runs") == [("run_1", "published")]


def test_an_older_day_rewrites_the_past_but_not_the_present(nights: Any) -> None:
    nights.night(0, ALL)
    nights.night(2, ALL, base=ALL)
    present = nights.rows("select customer_id, segment_id, confidence, as_of from marts.customer_segments order by 1")
    result = nights.night(1, MOVED, base=ALL)
    assert not result.is_newest
    assert result.stale_days == ["2026-03-03"]
    assert (
        "airflow backfill create --dag-id segmentation_nightly --from-date 2026-03-03 --to-date 2026-03-03"
        in result.message
    )
    assert "one segment id may mean different segments" in result.message
    assert present == nights.rows(
        "select customer_id, segment_id, confidence, as_of from marts.customer_segments order by 1"
    )
    assert nights.rows("select since, previous_segment_id from marts.customer_segments where customer_id = 'c2'") == [
        (date(2026, 3, 3), 1)
    ]


def test_bringing_stale_days_forward_ends_as_one_clean_pass(nights: Any) -> None:
    nights.night(0, ALL)
    nights.night(2, {**ALL, "c3": 2}, base=ALL)
    nights.night(1, MOVED, base=ALL)
    assert nights.night(2, MOVED, base=MOVED).stale_days == []
    out_of_order = marts(nights, without=("run_id",))
    with nights.warehouse.begin() as connection:
        for table in (*(f"marts.{table}" for table in MARTS), "ops.runs"):
            connection.execute(text(f"delete from {table}"))
    for number, labels, base in ((0, ALL, None), (1, MOVED, ALL), (2, MOVED, MOVED)):
        nights.night(number, labels, base)
    assert marts(nights, without=("run_id",)) == out_of_order


def test_late_rows_for_a_day_before_make_it_and_tonight_stale(nights: Any) -> None:
    nights.night(0, ALL)
    nights.write_manifests(0, "with a late return")
    result = nights.night(1, MOVED, base=ALL)
    assert result.stale_days == ["2026-03-01", "2026-03-02"]
    assert "Stale: 2 days from 2026-03-01 to 2026-03-02 lack" in result.message
    assert "may mean different segments" not in result.message
    assert "--from-date 2026-03-01 --to-date 2026-03-02 " in result.message


def test_rows_that_arrive_between_features_and_publish_make_the_day_stale(nights: Any) -> None:
    nights.write(0, ALL)
    nights.write_manifests(0, "with late rows")
    assert nights.publish(0).stale_days == ["2026-03-01"]


def test_readers_see_last_night_or_tonight_and_nothing_between(
    nights: Any, server: Server, warehouse_database: str
) -> None:
    many = {f"c{n}": 1 + n % 3 for n in range(1, 3001)}
    nights.night(0, many)
    seen: list[tuple[Any, ...]] = []
    stop = threading.Event()

    def read() -> None:
        engine = server.engine(warehouse_database, MARKETING_ROLE)
        query = (
            "select count(*), min(as_of), max(as_of), count(*) filter (where customer_id = 'gone'), "
            "(select count(*) from marts.customer_segment_history where valid_to is null), "
            "(select count(*) from marts.segments) from marts.customer_segments"
        )
        with engine.connect() as connection:
            while not stop.is_set():
                seen.append(tuple(connection.execute(text(query)).one()))
                connection.rollback()
        engine.dispose()

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for number in range(1, 6):
            nights.night(number, {c: 1 + (s + number) % 3 for c, s in many.items()}, many)
    finally:
        stop.set()
        thread.join()
    assert len(seen) > 5
    assert {row[0] for row in seen} == {3000}
    assert all(row[1] == row[2] for row in seen)
    assert {row[4] for row in seen} == {3000}
    assert {row[5] for row in seen} == {4}
    assert len({row[1] for row in seen}) > 1, "the reader saw no publication happen"


def test_a_reader_in_a_long_transaction_does_not_hold_up_a_publication(
    nights: Any, server: Server, warehouse_database: str
) -> None:
    nights.night(0, ALL)
    engine = server.engine(warehouse_database, MARKETING_ROLE)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as reader:
        assert reader.scalar(text("select max(as_of) from marts.customer_segments")) == nights.day(0)
        nights.night(1, MOVED, base=ALL)
        assert reader.scalar(text("select max(as_of) from marts.customer_segments")) == nights.day(0)
        assert reader.scalar(text("select count(*) from marts.customer_segments")) == len(ALL)
    engine.dispose()


@contextmanager
def trigger(owner: Engine, table: str, operation: str, action: str) -> Iterator[None]:
    """Let a statement do something when it touches a table."""
    with owner.begin() as connection:
        connection.execute(
            text(
                "create function public.act() returns trigger language plpgsql as "
                f"$$ begin {action}; return null; end $$"
            )
        )
        connection.execute(
            text(f"create trigger act after {operation} on {table} for each statement execute function public.act()")
        )
    try:
        yield
    finally:
        with owner.begin() as connection:
            connection.execute(text("drop function public.act() cascade"))


@pytest.mark.parametrize(
    ("table", "operation"),
    [
        ("marts.customer_segment_history", "delete"),
        ("marts.customer_segment_history", "insert"),
        ("marts.segment_profiles", "insert"),
        ("marts.segment_transitions", "insert"),
        ("marts.segments", "delete"),
        ("marts.segments", "insert"),
        ("marts.customer_taste_history", "insert"),
        ("marts.tastes", "insert"),
        ("marts.customer_segments", "delete"),
        ("marts.customer_segments", "insert"),
        ("ops.runs", "update"),
    ],
    ids=lambda value: str(value),
)
def test_an_error_at_any_statement_leaves_the_old_state(nights: Any, owner: Engine, table: str, operation: str) -> None:
    nights.night(0, ALL, tastes={"c1": 1, "c2": 2})
    before = marts(nights)
    version = nights.write(1, MOVED, base=ALL, tastes={"c1": 2, "c2": 2, "c3": 1})
    runs.start_run(nights.warehouse, "broken", nights.day(1), nights.now)
    base = runs.base_night(nights.warehouse, nights.day(1))
    with trigger(owner, table, operation, "raise exception 'the server fell over'"):
        with pytest.raises(DBAPIError, match="the server fell over"):
            publish_night(nights.settings, nights.day(1), version, base, nights.warehouse, "broken", nights.now)
        assert marts(nights) == before
        assert nights.rows("select status from ops.runs order by run_id") == [("running",), ("published",)]
    assert nights.publish(1, version).is_newest


_PUBLISH = """
import sys
from datetime import UTC, date, datetime
from segmentation import runs
from segmentation.config import Settings
from segmentation.connections import engine_for
from segmentation.publish.publish_night import publish_night
home, url, day, version = sys.argv[1:]
engine, day, now = engine_for(url), date.fromisoformat(day), datetime(2026, 5, 1, tzinfo=UTC)
publish_night(Settings(home=home), day, version, runs.base_night(engine, day), engine, "killed", now)
"""


@pytest.mark.parametrize("table", ["marts.customer_segment_history", "ops.runs"])
def test_a_publisher_killed_midway_leaves_the_old_state_and_no_lock(
    nights: Any, owner: Engine, server: Server, warehouse_database: str, table: str
) -> None:
    nights.night(0, ALL)
    before = marts(nights)
    version = nights.write(1, MOVED, base=ALL)
    url = server.url(warehouse_database, "segmentation_publish")
    sleeping = "select pid from pg_stat_activity where wait_event = 'PgSleep' and usename = 'segmentation_publish'"
    with trigger(owner, table, "insert or update", "perform pg_sleep(60)"), owner.connect() as watch:
        watch = watch.execution_options(isolation_level="AUTOCOMMIT")
        process = subprocess.Popen(
            [sys.executable, "-c", _PUBLISH, str(nights.settings.home), url, str(nights.day(1)), version],
            env={**os.environ, "PYTHONPATH": str(Path(runs.__file__).parents[1])},
        )
        assert wait(lambda: watch.scalar(text(sleeping)) is not None), f"never reached {table}"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert marts(nights) == before
        assert wait(lambda: watch.scalar(text(sleeping)) is None), "the server did not notice that the client is gone"
    assert marts(nights) == before
    assert nights.publish(1, version).is_newest


def wait(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Wait until a condition holds; tell whether it did."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_two_publications_take_turns(nights: Any) -> None:
    nights.night(0, ALL)
    nights.write(1, MOVED, base=ALL)
    nights.settings = nights.settings.model_copy(update={"publish": PublishSettings(lock_timeout_s=1)})
    with nights.warehouse.connect() as other:
        other.execute(text("select pg_advisory_xact_lock(hashtext('segmentation:publish'))"))
        with pytest.raises(WarehouseBusy, match="took too long: canceling statement due to lock timeout") as caught:
            nights.publish(1)
    assert isinstance(caught.value, Retryable)
    assert nights.publish(1).is_newest


def test_ids_of_an_unrelated_older_day_keep_a_row_until_it_is_brought_forward(nights: Any) -> None:
    """A day published before the first one starts a chain of its own; its segments must not vanish from joins."""
    nights.night(1, {"c1": 1, "c2": 2})
    alone = [
        {"segment_id": s, "name": name, "description": "", "status": "active", "born_on": "2026-03-01",
         "retired_on": None, "lineage": {}, "distinctive": []}
        for s, name in ((1, "One of the old"), (4, "Rare bargain hunters"))
    ]  # fmt: skip
    version = nights.write(0, {"c1": 4, "c2": 1}, segments=alone)
    assert nights.publish(0, version).stale_days == ["2026-03-02"]
    segments = "select segment_id, name, status from marts.segments order by 1"
    assert nights.rows(segments) == [
        (0, "No order yet", "active"),
        (1, "Weekly big baskets", "active"),
        (2, "Rare bargain hunters", "active"),
        (4, "Rare bargain hunters (segment 4)", "retired"),
    ]


def test_a_missing_segmentation_is_named(nights: Any) -> None:
    nights.write(0, ALL)
    with pytest.raises(MissingInput, match="segmentation feedbeef for business day 2026-03-01 is not in the lake"):
        nights.publish(0, "feedbeef")


def test_a_label_without_a_described_segment_is_refused(nights: Any) -> None:
    nights.write(0, ALL, segments=[])
    with pytest.raises(MissingInput, match=r"description of segments \[0, 1, 2, 3\]"):
        nights.publish(0)


def test_a_lake_that_lost_the_base_is_named(nights: Any) -> None:
    nights.night(0, ALL)
    nights.settings.lake.remove(nights.settings.lake.path("segmentations", day=nights.day(0)))
    nights.write(1, MOVED, base=ALL)
    with pytest.raises(
        LedgerBehind, match=f"segmentation {nights.versions[0]} of the published business day 2026-03-01"
    ):
        nights.publish(1)


def test_a_right_that_is_missing_is_named(nights: Any, owner: Engine) -> None:
    nights.write(0, ALL)
    with owner.begin() as connection:
        connection.execute(text("revoke insert on marts.segment_profiles from segmentation_publish"))
    with pytest.raises(PermissionMissing, match=r"'segmentation_publish' may not .* segment_profiles\. Run: grant"):
        nights.publish(0)


def test_a_warehouse_without_tables_is_named(nights: Any, owner: Engine) -> None:
    nights.write(0, ALL)
    with owner.begin() as connection:
        connection.execute(text("drop table marts.segment_transitions"))
    with pytest.raises(
        WarehouseNotReady, match=r'is not migrated: relation "marts\.segment_transitions" does not exist'
    ):
        nights.publish(0)


def test_a_warehouse_that_is_down_is_named(nights: Any) -> None:
    version = nights.write(0, ALL)
    down = create_engine(sqlalchemy_url("postgresql://segmentation_publish:secret@127.0.0.1:1/warehouse"))
    with pytest.raises(DatabaseUnreachable, match=r"127\.0\.0\.1:1/warehouse") as caught:
        publish_night(nights.settings, nights.day(0), version, None, down, "r", nights.now)
    assert "secret" not in str(caught.value)
