"""A real Airflow backfills three days through its REST API, as a data engineer would: once, and once more.

The backfill asks for Airflow's default of ten days at once; the days have to run one by one, the earliest first.
"""

import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from segmentation.catalog import NIGHTLY_DAG
from segmentation.demo import stack as demo
from segmentation.demo.postgres import WAREHOUSE_DATABASE, free_port
from segmentation.demo.simulator import load_simulated
from segmentation.demo.stack import Api, Stack

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500), pytest.mark.xdist_group("live")]

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


def _backfill(api: Api) -> dict[str, dict[str, str]]:
    """Run the three days and return the states of each one's tasks."""
    before = set(_runs(api))
    api.call(
        "POST",
        "/backfills",
        json={
            "dag_id": NIGHTLY_DAG,
            "from_date": f"{DAYS[0]}T00:00:00Z",
            "to_date": f"{DAYS[-1]}T00:00:00Z",
            "reprocess_behavior": "completed",
        },
    )
    deadline = time.monotonic() + MINUTES_10
    while True:
        new = {run_id: run for run_id, run in _runs(api).items() if run_id not in before}
        if new and all(run["state"] in ("success", "failed") for run in new.values()):
            break
        assert time.monotonic() < deadline, f"not done in time: {[run['state'] for run in new.values()]}"
        time.sleep(1)
    # Airflow lets the next backfill in a little after the last run of this one has ended
    while (
        api.call("GET", "/backfills", params={"dag_id": NIGHTLY_DAG, "order_by": "-id"})["backfills"][0]["completed_at"]
        is None
    ):
        assert time.monotonic() < deadline, "the backfill is not marked as completed"
        time.sleep(1)
    return {
        run["partition_key"]: {
            task["task_id"]: task["state"]
            for task in api.call("GET", f"/dags/{NIGHTLY_DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]
        }
        for run_id, run in new.items()
    }


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


def test_a_backfill_runs_each_day_and_again_without_a_change(api: Api, warehouse: Engine) -> None:
    assert _backfill(api) == {str(day): ALL_SUCCEEDED for day in DAYS}
    first = _marts(warehouse)
    assert sorted({row.as_of for row in first["segment_profiles"]}) == DAYS
    assert {row.as_of for row in first["customer_segments"]} == {DAYS[-1]}
    nights = _ledger(warehouse, "published")
    assert [night.business_day for night in nights] == DAYS, "the earliest day goes first"
    assert [night.base_day for night in nights] == [None, *DAYS[:-1]], "each day builds on the one before"
    assert not any(night.stale for night in nights)

    assert _backfill(api) == {str(day): ALL_SUCCEEDED for day in DAYS}
    assert _marts(warehouse) == first
    again = _ledger(warehouse, "published")
    assert [night.business_day for night in again] == DAYS
    assert not any(night.stale for night in again)
    assert [night.business_day for night in _ledger(warehouse, "superseded")] == DAYS


def test_two_backfills_and_other_runs_at_the_same_time_go_one_by_one(api: Api) -> None:
    """Airflow refuses a second backfill of the DAG; runs that are triggered meanwhile wait for their turn."""
    before = set(_runs(api))
    asked = {
        "dag_id": NIGHTLY_DAG,
        "from_date": f"{DAYS[0]}T00:00:00Z",
        "to_date": f"{DAYS[1]}T00:00:00Z",
        "reprocess_behavior": "completed",
    }
    api.call("POST", "/backfills", json=asked)
    with pytest.raises(httpx.HTTPStatusError) as refused:
        api.call("POST", "/backfills", json=asked | {"to_date": f"{DAYS[2]}T00:00:00Z"})
    assert refused.value.response.status_code == 409
    for day in (DAYS[2], DAYS[2] + timedelta(days=1)):
        body = {"partition_key": str(day), "logical_date": None}
        api.call("POST", f"/dags/{NIGHTLY_DAG}/dagRuns", json=body)
    deadline = time.monotonic() + MINUTES_10
    while True:
        new = {run_id: run for run_id, run in _runs(api).items() if run_id not in before}
        if len(new) == 4 and all(run["state"] in ("success", "failed") for run in new.values()):
            break
        assert time.monotonic() < deadline, f"not done in time: {[run['state'] for run in new.values()]}"
        time.sleep(1)
    assert {run["state"] for run in new.values()} == {"success"}
    spans = []
    for run_id in new:
        tasks = api.call("GET", f"/dags/{NIGHTLY_DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]
        at = {task["task_id"]: task for task in tasks}
        spans.append((at["extract"]["start_date"], at["publish"]["end_date"]))
    spans.sort()
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(spans)), spans
