"""A day that is published again differs for a reason, and `ops.changes` says which.

The story: 1 March is published with 3 orders; then an order arrives late, and the day is run again.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from segmentation import runs
from segmentation.config import Settings
from segmentation.publish.changes import explain_changes
from segmentation.runs import PublishedNight

DAY, EVE = date(2026, 3, 1), date(2026, 2, 28)
NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
BASE = PublishedNight(EVE, "eve", "rfm", "labels of the eve")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path / "home")
    check(settings, DAY, {"orders": (3, "a"), "events": (9, "e")})
    lake = settings.lake
    lake.write_json({"snapshot_hash": "s"}, lake.run_manifest("raw", DAY))
    lake.write_json({"rows_ok": {"customers": 5}, "files_hash": "c"}, lake.run_manifest("checked", DAY))
    return settings


def check(settings: Settings, day: date, tables: dict[str, tuple[int, str]]) -> None:
    """Write what validate leaves about a day: rows and content of each table."""
    content = {
        "files_hash": repr(tables),
        "rows_ok": {table: rows for table, (rows, _) in tables.items()},
        "hashes": {table: content for table, (_, content) in tables.items()},
    }
    settings.lake.write_json(content, settings.lake.day_manifest("checked", day))


def publish(warehouse: Engine, settings: Settings, run_id: str, base: PublishedNight | None = None) -> list[Any]:
    """Publish the day from the rows as they are now; return what is said to have changed."""
    lake = settings.lake
    version = runs.inputs_version(lake, DAY)
    assert version is not None
    lake.write_json(runs.describe_inputs(lake, DAY), runs.inputs_file(lake, DAY, version))
    with warehouse.begin() as connection:
        explain_changes(connection, settings, DAY, run_id, base, version)
        runs.publish_run(
            connection, run_id, DAY, base=base, model_version="rfm", segmentation_version=run_id, inputs=version,
            customers=5, now=NOW,
        )  # fmt: skip
        query = "select input, data_day, before, after, replaces_run_id from ops.changes where run_id = :run_id"
        return [tuple(row) for row in connection.execute(text(f"{query} order by 1, 2"), {"run_id": run_id})]


def test_the_first_run_of_a_day_changes_nothing(settings: Settings, warehouse: Engine) -> None:
    assert publish(warehouse, settings, "first") == []


def test_the_same_inputs_again_leave_no_rows(settings: Settings, warehouse: Engine) -> None:
    publish(warehouse, settings, "first")
    assert publish(warehouse, settings, "again") == []


def test_rows_that_arrived_late_are_named_by_table_and_day(settings: Settings, warehouse: Engine) -> None:
    publish(warehouse, settings, "first")
    check(settings, DAY, {"orders": (4, "b"), "events": (9, "e")})
    check(settings, EVE, {"orders": (2, "x")})
    expected = [("orders", EVE, "none", "2", "first"), ("orders", DAY, "3", "4", "first")]
    assert publish(warehouse, settings, "again") == expected
    # cleared and published once more from the same rows, the run still says why it differs from the first one
    assert publish(warehouse, settings, "again") == expected


def test_a_refund_leaves_the_number_of_rows_and_is_named_all_the_same(settings: Settings, warehouse: Engine) -> None:
    publish(warehouse, settings, "first")
    check(settings, DAY, {"orders": (3, "refunded"), "events": (9, "e")})
    assert publish(warehouse, settings, "again") == [("orders", DAY, "3", "3", "first")]


def test_another_night_before_is_named(settings: Settings, warehouse: Engine) -> None:
    publish(warehouse, settings, "first")
    said = publish(warehouse, settings, "again", BASE)
    assert said == [("night before", EVE, "none", "2026-02-28 labels of the eve", "first")]


def test_a_lake_that_forgot_the_inputs_is_told_as_such(settings: Settings, warehouse: Engine) -> None:
    publish(warehouse, settings, "first")
    before = runs.inputs_version(settings.lake, DAY)
    assert before is not None
    runs.inputs_file(settings.lake, DAY, before).unlink()
    check(settings, DAY, {"orders": (4, "b")})
    assert publish(warehouse, settings, "again") == [
        ("all rows", DAY, before, runs.inputs_version(settings.lake, DAY), "first")
    ]
