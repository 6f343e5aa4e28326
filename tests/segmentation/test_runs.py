"""The ledger: what a night builds on, and which nights a re-run would change.

The story: days 1, 2 and 3 of March 2026 are published, mostly in order; then something changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, text

from segmentation import runs
from segmentation.catalog import PUBLISH_ROLE
from segmentation.config import Settings
from segmentation.connections import engine_for
from segmentation.demo.postgres import Server
from segmentation.errors import LoginRefused
from segmentation.lake import Lake
from segmentation.night import run_night
from segmentation.runs import PublishedNight

if TYPE_CHECKING:
    from conftest import SmallShop

_REFUSE_FAILED_RUNS = "alter table ops.runs add constraint gone check (status <> 'failed')"
NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)


def march(day: int) -> date:
    return date(2026, 3, day)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    for day in (1, 2, 3):
        write_manifest(lake, day)
    return lake


def write_manifest(lake: Lake, day: int, rows: str = "first") -> None:
    lake.write_json({"files_hash": f"{day} {rows}"}, lake.path("checked", "_days") / f"{march(day)}.json")
    lake.write_json({"snapshot_hash": "snapshot"}, lake.path("raw", "_runs") / f"{march(day)}.json")


def publish(warehouse: Engine, lake: Lake, day: int, version: str, **changes: Any) -> list[int]:
    """Publish a day on its present base and return the days that are stale afterwards."""
    run_id = changes.pop("run_id", f"run_{day}_{version}")
    with warehouse.begin() as connection:
        runs.publish_run(
            connection,
            run_id,
            march(day),
            base=runs.base_night(warehouse, march(day)),
            model_version="rfm",
            segmentation_version=version,
            inputs=runs.inputs_version(lake, march(day)),
            customers=7,
            now=NOW,
        )
    return stale(warehouse, lake)


def stale(warehouse: Engine, lake: Lake) -> list[int]:
    with warehouse.begin() as connection:
        return [night.business_day.day for night in runs.refresh_stale(connection, lake)]


def ledger(warehouse: Engine) -> dict[str, tuple[Any, ...]]:
    with warehouse.connect() as connection:
        query = "select run_id, status, message, stale, stale_reason from ops.runs"
        return {row[0]: tuple(row[1:]) for row in connection.execute(text(query))}


def test_the_base_is_the_nearest_earlier_published_day(warehouse: Engine, lake: Lake) -> None:
    assert runs.base_night(warehouse, march(2)) is None
    publish(warehouse, lake, 1, "a")
    publish(warehouse, lake, 3, "c")
    runs.start_run(warehouse, "held", march(2), NOW)
    runs.hold_run(warehouse, "held", ["too many moved."], NOW)
    assert runs.base_night(warehouse, march(3)) == PublishedNight(march(1), "run_1_a", "rfm", "a")
    assert runs.base_night(warehouse, march(9)) == PublishedNight(march(3), "run_3_c", "rfm", "c")
    assert runs.base_night(warehouse, march(1)) is None


def test_a_failed_run_says_why_and_starts_anew(warehouse: Engine) -> None:
    runs.start_run(warehouse, "r", march(1), NOW)
    runs.fail_run(warehouse, "r", "the source is down", NOW)
    assert ledger(warehouse)["r"][:2] == ("failed", "the source is down")
    runs.start_run(warehouse, "r", march(1), NOW + timedelta(hours=1))
    assert ledger(warehouse)["r"][:2] == ("running", "")


def test_a_published_day_stays_published_while_it_is_run_again(warehouse: Engine, lake: Lake) -> None:
    """Otherwise a later night would lose its base, although marketing is served that base's labels."""
    publish(warehouse, lake, 1, "a", run_id="r")
    runs.start_run(warehouse, "r", march(1), NOW)
    assert runs.base_night(warehouse, march(2)) == PublishedNight(march(1), "r", "rfm", "a")
    runs.fail_run(warehouse, "r", "no space left.", NOW)
    assert runs.base_night(warehouse, march(2)) == PublishedNight(march(1), "r", "rfm", "a")
    status, message, *_ = ledger(warehouse)["r"]
    assert status == "published"
    assert message == "Run again and failed; the labels published before are still served. no space left."


def test_a_ledger_that_is_down_is_named(server: Server) -> None:
    gone = engine_for(server.url("nowhere", PUBLISH_ROLE))
    for call in (
        lambda: runs.base_night(gone, march(1)),
        lambda: runs.start_run(gone, "r", march(1), NOW),
        lambda: runs.fail_run(gone, "r", "no space left.", NOW),
    ):
        with pytest.raises(LoginRefused, match="the warehouse database"):
            call()


def test_a_day_has_one_published_run(warehouse: Engine, lake: Lake) -> None:
    publish(warehouse, lake, 1, "a")
    publish(warehouse, lake, 1, "b")
    assert {run: row[0] for run, row in ledger(warehouse).items()} == {"run_1_a": "superseded", "run_1_b": "published"}


def test_days_in_order_are_not_stale(warehouse: Engine, lake: Lake) -> None:
    assert [publish(warehouse, lake, day, f"v{day}") for day in (1, 2, 3)] == [[], [], []]


def test_the_same_result_again_makes_nothing_stale(warehouse: Engine, lake: Lake) -> None:
    for day in (1, 2, 3):
        publish(warehouse, lake, day, f"v{day}")
    assert publish(warehouse, lake, 1, "v1", run_id="again") == []


def test_another_result_makes_all_later_days_stale_until_they_are_run_in_order(warehouse: Engine, lake: Lake) -> None:
    for day in (1, 2, 3):
        publish(warehouse, lake, day, f"v{day}")
    assert publish(warehouse, lake, 1, "new") == [2, 3]
    status, _, is_stale, reason = ledger(warehouse)["run_3_v3"]
    assert (status, is_stale) == ("published", True)
    assert reason == (
        "A re-run would give another result: it built on 2026-03-02, which is stale itself. Run: "
        "airflow backfill create --dag-id segmentation_nightly --from-date 2026-03-02 --to-date 2026-03-03 "
        "--reprocess-behavior completed"
    )
    assert "2026-03-01 was published again with another result" in ledger(warehouse)["run_2_v2"][3]
    assert publish(warehouse, lake, 2, "new2") == [3]
    assert publish(warehouse, lake, 3, "new3") == []
    assert not any(row[2] or row[3] for row in ledger(warehouse).values())


def test_a_day_published_in_between_makes_the_next_one_stale(warehouse: Engine, lake: Lake) -> None:
    publish(warehouse, lake, 1, "v1")
    publish(warehouse, lake, 3, "v3")
    assert publish(warehouse, lake, 2, "v2") == [3]
    assert "it built on 2026-03-01, and 2026-03-02 was published since" in ledger(warehouse)["run_3_v3"][3]


def test_a_day_before_the_first_night_makes_that_night_stale(warehouse: Engine, lake: Lake) -> None:
    publish(warehouse, lake, 2, "v2")
    assert publish(warehouse, lake, 1, "v1") == [2]
    assert "it was the first night, and 2026-03-01 was published since" in ledger(warehouse)["run_2_v2"][3]


def test_late_rows_make_their_day_and_later_ones_stale(warehouse: Engine, lake: Lake) -> None:
    for day in (1, 2, 3):
        publish(warehouse, lake, day, f"v{day}")
    write_manifest(lake, 2, "a late return")
    assert stale(warehouse, lake) == [2, 3]
    assert "rows of days up to 2026-03-02 arrived or changed" in ledger(warehouse)["run_2_v2"][3]
    with warehouse.begin() as connection:
        assert not any(night.by_chain for night in runs.refresh_stale(connection, lake))


def test_a_day_that_has_the_late_rows_is_stale_if_its_base_lacks_them(warehouse: Engine, lake: Lake) -> None:
    """One clean pass would give it another base: the days marked stale are exactly those to be run again."""
    publish(warehouse, lake, 1, "v1")
    write_manifest(lake, 1, "a late return")
    assert publish(warehouse, lake, 2, "v2") == [1, 2]
    assert "it built on 2026-03-01, which lacks rows that arrived or changed since" in ledger(warehouse)["run_2_v2"][3]
    assert "--from-date 2026-03-01 --to-date 2026-03-02 " in ledger(warehouse)["run_1_v1"][3]
    write_manifest(lake, 2, "another one")
    assert publish(warehouse, lake, 3, "v3") == [1, 2, 3]
    with warehouse.begin() as connection:
        assert not any(night.by_chain for night in runs.refresh_stale(connection, lake))
    assert publish(warehouse, lake, 1, "new1") == [2, 3]
    assert publish(warehouse, lake, 2, "new2") == [3]
    assert publish(warehouse, lake, 3, "new3") == []


def test_a_crash_that_nobody_foresaw_is_entered_in_the_ledger(
    make_settings: Callable[..., Settings], small_shop: SmallShop, server: Server, warehouse_database: str,
    warehouse: Engine,
) -> None:  # fmt: skip
    settings = make_settings()
    settings.home.mkdir(parents=True)
    settings.lake.root.write_text("a file where the folder should be")
    url = server.url(warehouse_database, PUBLISH_ROLE)
    with pytest.raises(OSError, match="Not a directory"):
        run_night(settings, small_shop.last_day, small_shop.url, url, now=small_shop.now, run_id="crashed")
    status, message, *_ = ledger(warehouse)["crashed"]
    assert status == "failed"
    assert message.startswith("NotADirectoryError: ")


def test_a_ledger_that_refuses_the_entry_does_not_hide_the_error(
    make_settings: Callable[..., Settings], small_shop: SmallShop, server: Server, warehouse_database: str
) -> None:
    """What comes out is the crash, not the second error that entering it met."""
    settings = make_settings()
    settings.home.mkdir(parents=True)
    settings.lake.root.write_text("a file where the folder should be")
    owner = server.engine(warehouse_database)
    with owner.begin() as connection:
        connection.execute(text(_REFUSE_FAILED_RUNS))
    owner.dispose()
    url = server.url(warehouse_database, PUBLISH_ROLE)
    with pytest.raises(OSError, match="Not a directory"):
        run_night(settings, small_shop.last_day, small_shop.url, url, now=small_shop.now)


def test_a_lake_without_manifests_is_not_held_against_a_day(warehouse: Engine, lake: Lake, tmp_path: Path) -> None:
    for day in (1, 2):
        publish(warehouse, lake, day, f"v{day}")
    assert stale(warehouse, replace(lake, root=tmp_path / "moved")) == []
    assert runs.inputs_version(replace(lake, root=tmp_path / "moved"), march(1)) is None


def test_inputs_are_those_up_to_the_day(lake: Lake) -> None:
    before = {day: runs.inputs_version(lake, march(day)) for day in (1, 2, 3)}
    assert len(set(before.values())) == 3
    write_manifest(lake, 2, "other")
    after = {day: runs.inputs_version(lake, march(day)) for day in (1, 2, 3)}
    assert [day for day in before if before[day] != after[day]] == [2, 3]
