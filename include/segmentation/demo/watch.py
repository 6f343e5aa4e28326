"""Run days through Airflow's own backfill and show what happens while it happens."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import httpx
from rich.console import Console

from segmentation.calendar import days_between
from segmentation.catalog import NIGHTLY_DAG
from segmentation.demo.stack import Api, memory_bytes

TASKS = ("wait_for_source", "extract", "validate", "features", "encode", "cluster", "evaluate", "approve", "publish")
_FINAL = {"success", "failed", "skipped", "upstream_failed", "removed"}


@dataclass
class Watched:
    """What a backfill did.

    Attributes
    ----------
    states : dict of date to str
        Final state of each day's run.
    seconds : dict of date to dict of str to float
        Wall time of each task, seconds; key `total` is from the run's start to its end.
    peak_memory_bytes : int
        Highest memory of Airflow with its tasks that was seen.
    """

    states: dict[date, str] = field(default_factory=dict)
    seconds: dict[date, dict[str, float]] = field(default_factory=dict)
    peak_memory_bytes: int = 0


def backfill(api: Api, first: date, last: date, reprocess: str = "failed", timeout_s: float = 120) -> bool:
    """Ask Airflow for a backfill.

    Parameters
    ----------
    api : Api
        A running Airflow.
    first, last : date
        Business days, both included.
    reprocess : str
        Airflow's reprocess behaviour for days that ran before: none, failed or completed.
    timeout_s : float
        Seconds to wait for Airflow to close an earlier backfill whose runs are over.

    Returns
    -------
    bool
        False if another backfill of the DAG is under way, and nothing was asked for.

    Raises
    ------
    httpx.HTTPStatusError
        If Airflow refuses for another reason, or does not close an earlier backfill in time.
    """
    wanted = {
        "dag_id": NIGHTLY_DAG,
        "from_date": f"{first}T00:00:00Z",
        "to_date": f"{last}T00:00:00Z",
        "reprocess_behavior": reprocess,
        "max_active_runs": 1,
        "run_backwards": False,
        "dag_run_conf": {},
    }
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            api.call("POST", "/backfills", json=wanted)
            return True
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.CONFLICT or time.monotonic() > deadline:
                raise
        unfinished = api.call(
            "GET", f"/dags/{NIGHTLY_DAG}/dagRuns", params={"state": ["queued", "running"], "limit": 1}
        )
        if unfinished["total_entries"]:
            return False
        time.sleep(3)


def wait_for_dag(api: Api, timeout_s: float = 120) -> None:
    """Wait until Airflow has read the DAG's file, and unpause it.

    Raises
    ------
    TimeoutError
        If the DAG is not known in time; the import errors are in the message.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            api.call("PATCH", f"/dags/{NIGHTLY_DAG}", json={"is_paused": False})
            return
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 404:
                raise
        time.sleep(0.5)
    errors = [item["stack_trace"] for item in api.pages("/importErrors", "import_errors")]
    raise TimeoutError(
        f"Airflow does not know {NIGHTLY_DAG} after {timeout_s:.0f} s. Import errors: {errors or 'none'}"
    )


def watch(
    api: Api, first: date, last: date, console: Console, *, since: datetime | None = None, timeout_s: float = 3600
) -> Watched:
    """Print a line for every task that ends, until each day's run is over.

    Parameters
    ----------
    api : Api
        A running Airflow.
    first, last : date
        Business days, both included.
    console : Console
        Where the lines go.
    since : datetime, optional
        Leave out runs that were queued before: re-running a partition makes a new run beside the old one.
    timeout_s : float
        Seconds until this gives up.

    Raises
    ------
    TimeoutError
        If the days are not done in time.
    """
    wanted = list(days_between(first, last))
    seen: set[tuple[date, str, str]] = set()
    result = Watched()
    deadline = time.monotonic() + timeout_s
    with console.status("waiting for the first task ...") as status:
        while True:
            runs = _runs(api, set(wanted), since)
            for day, run in sorted(runs.items()):
                if result.states.get(day) in ("success", "failed"):
                    continue
                tasks = api.call("GET", f"/dags/{NIGHTLY_DAG}/dagRuns/{run['dag_run_id']}/taskInstances")[
                    "task_instances"
                ]
                for task in sorted(
                    tasks, key=lambda task: TASKS.index(task["task_id"]) if task["task_id"] in TASKS else 99
                ):
                    key = (day, task["task_id"], str(task["state"]))
                    if task["state"] in _FINAL and key not in seen:
                        seen.add(key)
                        took = float(task["duration"] or 0)
                        result.seconds.setdefault(day, {})[task["task_id"]] = took
                        colour = (
                            "green" if task["state"] == "success" else "red" if task["state"] == "failed" else "yellow"
                        )
                        console.print(f"  {day}  {task['task_id']:<16}[{colour}]{task['state']:<10}[/] {took:6.1f} s")
                    elif task["state"] not in _FINAL and task["state"] in ("running", "deferred", "up_for_retry"):
                        status.update(f"{day}  {task['task_id']} {task['state']} ...")
                if run["state"] in ("success", "failed"):
                    result.states[day] = run["state"]
                    total = _seconds(run["start_date"], run["end_date"])
                    result.seconds.setdefault(day, {})["total"] = total
                    console.print(f"  [bold]{day}  {run['state']}[/], {total:.0f} s in all")
            result.peak_memory_bytes = max(result.peak_memory_bytes, memory_bytes(api.stack))
            if set(result.states) == set(wanted):
                return result
            if time.monotonic() > deadline:
                missing = [str(day) for day in wanted if day not in result.states]
                raise TimeoutError(f"not done within {timeout_s:.0f} s: {', '.join(missing)}")
            time.sleep(1.5)


def _runs(api: Api, wanted: set[date], since: datetime | None) -> dict[date, dict[str, Any]]:
    """Return the newest run of each wanted day."""
    found: dict[date, dict[str, Any]] = {}
    runs = api.pages(f"/dags/{NIGHTLY_DAG}/dagRuns", "dag_runs")
    for run in sorted(runs, key=lambda run: run["queued_at"] or ""):
        key = run.get("partition_key")
        if not key or date.fromisoformat(key) not in wanted:
            continue
        if since is None or (run["queued_at"] and datetime.fromisoformat(run["queued_at"]) >= since):
            found[date.fromisoformat(key)] = run
    return found


def _seconds(start: str | None, end: str | None) -> float:
    if not (start and end):
        return 0.0
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
