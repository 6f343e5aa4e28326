"""When nobody is asked: every gate passed, or the day is one of a backfill."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from sqlalchemy import Engine, text

from segmentation.catalog import PUBLISH_ROLE
from segmentation.config import settings
from segmentation.demo.postgres import Server
from segmentation.runs import start_run
from segmentation_airflow.approval import AskIfHeld

DAY = date(2026, 6, 20)
NOW = datetime(2026, 6, 21, 3, tzinfo=UTC)


@pytest.fixture
def context(
    warehouse: Engine, server: Server, warehouse_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Return what Airflow hands to the task of a backfill, as far as the task looks at it."""
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_WAREHOUSE", server.url(warehouse_database, PUBLISH_ROLE))
    monkeypatch.setenv("SEGMENTATION_HOME", str(tmp_path))
    settings.cache_clear()
    start_run(warehouse, "backfill 1", DAY, NOW)
    run = SimpleNamespace(
        run_id="backfill 1", run_type="backfill", partition_key=str(DAY), logical_date=None, run_after=NOW
    )
    yield {"dag_run": run, "params": {"business_day": None, "accept_unusual_day": False, "search": False}}
    settings.cache_clear()


def ask(context: Any, verdict: dict[str, Any]) -> Any:
    task = AskIfHeld(task_id="approve", built=None, verdict=None)  # type: ignore[arg-type]
    task.built, task.verdict = {"base": None}, verdict
    return task.execute(context)


def test_a_night_whose_gates_passed_goes_on_without_a_word() -> None:
    assert ask({}, {"publish": True, "reasons": []}) == {"note": ""}


def test_a_held_day_of_a_backfill_is_held_and_nobody_is_asked(context: Any, warehouse: Engine) -> None:
    with pytest.raises(AirflowSkipException, match=f"trigger the DAG with business_day = {DAY}"):
        ask(context, {"publish": False, "reasons": ["A gate failed."]})
    with warehouse.connect() as connection:
        found = connection.execute(text("select status, message from ops.runs")).all()
    assert [tuple(row) for row in found] == [("held", "A gate failed. Nothing was published before.")]
