"""What a task reads and writes is told by name and place, and never with a password."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from segmentation.config import Settings
from segmentation_airflow.lineage import marts_tables, note_lineage, shop_tables
from segmentation_airflow.tonight import Tonight


@pytest.fixture
def night(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Tonight:
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_SOURCE", "postgresql://reader:s3cret@db.shop.example/production")
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_WAREHOUSE", "postgresql://writer:s3cret@localhost:6543/warehouse")
    return Tonight(make_settings(), date(2026, 6, 20), "run 1", datetime(2026, 6, 21, tzinfo=UTC), False, False)


def test_the_shops_tables_are_those_of_the_mapping(night: Tonight) -> None:
    tables = shop_tables(night)
    assert "postgres://db.shop.example:5432/production/shop/orders" in tables
    assert len(tables) >= 5


def test_marketings_tables_are_those_that_are_published(night: Tonight) -> None:
    tables = marts_tables(night)
    assert "postgres://localhost:6543/warehouse/marts/customer_segments" in tables
    assert not [table for table in tables if "/ops/" in table or "s3cret" in table]


def test_a_problem_with_lineage_is_not_the_tasks(night: Tonight, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Any) -> list[str]:
        raise OSError("no such mapping")

    note_lineage(night, broken, marts_tables)
    assert "could not be told to the lineage collector" in caplog.text
