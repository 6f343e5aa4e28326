"""A real Airflow runs three days asked for through its REST API, as a data engineer would: once, and once more.

The backfill asks for Airflow's default of ten days at once; the days have to run one by one, the earliest first.
"""

import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from tests.dags.airflow_state import until

from segmentation.catalog import NIGHTLY_DAG
from segmentation.demo import stack as demo
from segmentation.demo.postgres import WAREHOUSE_DATABASE, free_port
from segmentation.demo.simulator import load_simulated
from segmentation.demo.stack import Api, Stack

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500)]

DAYS = [date(2026, 6, 10), date(2026, 6, 11), date(2026, 6, 12)]
TASKS = ("wait_for_source", "extract", "validate", "features", "encode", "cluster", "evaluate", "approve", "publish")
ALL_SUCCEEDED = dict.fromkeys(TASKS, "success")
SETTINGS = {
    "SEGMENTATION_TIMEZONE": "Europe/Berlin",
    # the shop closed then, so that no scheduled run comes between
    "SEGMENTATION_LAST_DAY": "2026-06-30",
    # the encoder has its own tests; here it would be most of the time
    "SEGMENTATION_ENCODER__MINIMUM_CUSTOMERS": "100000",
}
#: Everything that marketing sees, less the ids of runs.
MARTS = {
    "customer_segments": "*",
    "customer_segment_history": "customer_id, valid_from, valid_to, segment_id",
    "customer_taste_history": "customer_id, valid_from, valid_to, taste_id",
    "segments": "*",
    "tastes": "*",
    "segment_profiles": "*",
    "segment_transitions": "*",
}
MINUTES_10 = 600


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    # not pytest's own folder: each session of pytest closes that to the user of the embedded Postgres
    with tempfile.TemporaryDirectory(prefix="segmentation-live-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def stack(home: Path) -> Iterator[Stack]:
    # a port that nobody prefers: a demo may be starting on the same machine
    running = replace(demo.prepare(home, SETTINGS), api_port=free_port())
    try:
        load_simulated(
            running.server,
            customers=400,
            first_day=date(2026, 2, 1),
            last_day=date(2026, 6, 30),
            timezone="Europe/Berlin",
        )
        running = demo.start_airflow(running)
        yield running
    finally:
        demo.stop(demo.open_stack(running.home) or running)


@pytest.fixture(scope="module")
def warehouse(stack: Stack) -> Engine:
    return stack.server.engine(WAREHOUSE_DATABASE)


def _runs(api: Api) -> dict[str, dict[str, Any]]:
    return {run["dag_run_id"]: run for run in api.pages(f"/dags/{NIGHTLY_DAG}/dagRuns", "dag_runs")}


def _ask_for(api: Api, first: date, last: date) -> None:
    asked = {"dag_id": NIGHTLY_DAG, "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
    api.call("POST", "/backfills", json=asked | {"reprocess_behavior": "completed"})


def _wait_for_new(api: Api, before: set[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Wait for a run of each day and return its tasks."""

    def new() -> dict[str, dict[str, Any]]:
        return {run_id: run for run_id, run in _runs(api).items() if run_id not in before}

    def over() -> dict[str, dict[str, Any]]:
        found = new()
        return found if len(found) == len(DAYS) and _are_over(found) else {}

    runs = until(over, lambda: f"a run of each day is over; the states are {_run_states(new())}", MINUTES_10)
    return {
        run["partition_key"]: {
            task["task_id"]: task
            for task in api.call("GET", f"/dags/{NIGHTLY_DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]
        }
        for run_id, run in runs.items()
    }


def _run_states(runs: dict[str, dict[str, Any]]) -> list[str]:
    return [run["state"] for run in runs.values()]


def _are_over(runs: dict[str, dict[str, Any]]) -> bool:
    return set(_run_states(runs)) <= {"success", "failed"}


def _states(runs: dict[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, str]]:
    return {day: {task: at["state"] for task, at in tasks.items()} for day, tasks in runs.items()}


def _wait_until_completed(api: Api) -> None:
    """Airflow lets the next backfill in a little after the last run of this one has ended."""
    newest = {"dag_id": NIGHTLY_DAG, "order_by": "-id"}

    def completed_at() -> Any:
        return api.call("GET", "/backfills", params=newest)["backfills"][0]["completed_at"]

    until(completed_at, "the backfill is marked as completed", MINUTES_10)


def _marts(warehouse: Engine) -> dict[str, list[Any]]:
    with warehouse.connect() as connection:
        return {
            table: list(connection.execute(text(f"select {columns} from marts.{table} order by 1, 2, 3")))
            for table, columns in MARTS.items()
        }


def _ledger(warehouse: Engine, status: str) -> list[Any]:
    with warehouse.connect() as connection:
        query = "select business_day, base_day, stale from ops.runs where status = :status order by finished_at"
        return list(connection.execute(text(query), {"status": status}))


def test_airflow_reads_the_dag_without_complaint(api: Api) -> None:
    assert api.call("GET", "/importErrors")["import_errors"] == []
    assert api.call("GET", "/plugins/importErrors")["import_errors"] == []
    assert api.call("GET", f"/dags/{NIGHTLY_DAG}")["is_paused"] is False


def test_days_run_one_by_one_and_again_without_a_change(api: Api, warehouse: Engine) -> None:
    """Once as a backfill; once more as a backfill, a refused one and a run by hand, all at the same time."""
    before = set(_runs(api))
    _ask_for(api, DAYS[0], DAYS[-1])
    assert _states(_wait_for_new(api, before)) == {str(day): ALL_SUCCEEDED for day in DAYS}
    first = _marts(warehouse)
    assert sorted({row.as_of for row in first["segment_profiles"]}) == DAYS
    assert {row.as_of for row in first["customer_segments"]} == {DAYS[-1]}
    nights = _ledger(warehouse, "published")
    assert [night.business_day for night in nights] == DAYS, "the earliest day goes first"
    assert [night.base_day for night in nights] == [None, *DAYS[:-1]], "each day builds on the one before"
    assert not any(night.stale for night in nights)

    _wait_until_completed(api)
    before = set(_runs(api))
    _ask_for(api, DAYS[0], DAYS[1])
    with pytest.raises(httpx.HTTPStatusError) as refused:
        _ask_for(api, DAYS[0], DAYS[2])
    assert refused.value.response.status_code == 409
    api.call("POST", f"/dags/{NIGHTLY_DAG}/dagRuns", json={"partition_key": str(DAYS[2]), "logical_date": None})
    again = _wait_for_new(api, before)
    assert _states(again) == {str(day): ALL_SUCCEEDED for day in DAYS}
    spans = sorted((tasks["extract"]["start_date"], tasks["publish"]["end_date"]) for tasks in again.values())
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(spans)), spans
    assert _marts(warehouse) == first
    nights = _ledger(warehouse, "published")
    assert sorted(night.business_day for night in nights) == DAYS
    assert not any(night.stale for night in nights)
    assert sorted(night.business_day for night in _ledger(warehouse, "superseded")) == DAYS


def test_tasks_cleared_midway_in_two_nights_that_are_over_go_one_night_after_the_other(api: Api) -> None:
    days = [str(day) for day in DAYS[:2]]

    def runs() -> dict[str, str]:
        """Return business day -> id of its newest run, when all runs are over."""
        until(
            lambda: _are_over(_runs(api)), lambda: f"all are over; the states are {_run_states(_runs(api))}", MINUTES_10
        )
        return {run["partition_key"]: run_id for run_id, run in _runs(api).items()}

    for day in days:
        if day not in runs():
            body = {"partition_key": day, "logical_date": None}
            api.call("POST", f"/dags/{NIGHTLY_DAG}/dagRuns", json=body)
    over = runs()
    # the windows that features made were removed by the night after
    cleared = {"task_ids": ["features"], "include_downstream": True, "only_failed": False, "dry_run": False}
    for day in reversed(days):
        asked = cleared | {"dag_run_id": over[day]}
        assert api.call("POST", f"/dags/{NIGHTLY_DAG}/clearTaskInstances", json=asked)["total_entries"] == 6
    runs()
    ends = []
    for day in days:
        tasks = api.call("GET", f"/dags/{NIGHTLY_DAG}/dagRuns/{over[day]}/taskInstances")["task_instances"]
        at = {task["task_id"]: task for task in tasks}
        assert {task["state"] for task in tasks} == {"success"}
        # waiting for the turn is no failed try
        assert at["features"]["try_number"] == 2
        ends.append((at["publish"]["end_date"], at["features"]["end_date"]))
    (first_over, _), (_, second_begun) = sorted(ends)
    assert first_over <= second_begun, ends
