"""A real Airflow holds a night: others go on, an answer by REST publishes it, and of a late one is told."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.dags.airflow_state import until
from tests.plugins.mailbox import Mailbox, mailbox

from segmentation.catalog import NIGHTLY_DAG
from segmentation.demo import stack as demo
from segmentation.demo.postgres import WAREHOUSE_DATABASE, free_port
from segmentation.demo.simulator import load_simulated
from segmentation.demo.stack import Api, Stack

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500)]

FIRST, HELD, NEXT = date(2026, 6, 10), date(2026, 6, 14), date(2026, 6, 15)
# a place where it is about noon: the night before is late there
NOON = f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"
MINUTES_8 = 480


@pytest.fixture(scope="module")
def box() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


@pytest.fixture(scope="module")
def stack(box: Mailbox) -> Iterator[Stack]:
    settings = {
        "SEGMENTATION_TIMEZONE": NOON,
        "SEGMENTATION_ENCODER__MINIMUM_CUSTOMERS": "100000",
        # whoever has a label before it cannot move: every night but the first is held
        "SEGMENTATION_EVALUATE__MOVED_SHARE_LIMIT": "0",
        "AIRFLOW_CONN_SEGMENTATION_ALERT_WEBHOOK": box.webhook_connection,
    }
    # not pytest's own folder: each session of pytest closes that to the user of the embedded Postgres
    with tempfile.TemporaryDirectory(prefix="segmentation-held-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        running = replace(demo.prepare(home, settings), api_port=free_port())
        try:
            shop = {"customers": 400, "first_day": date(2026, 2, 1), "last_day": date(2026, 6, 30), "timezone": NOON}
            load_simulated(running.server, **shop)
            running = demo.start_airflow(running)
            yield running
        finally:
            demo.stop(demo.open_stack(running.home) or running)


class Night:
    """One run of the DAG, asked for by hand."""

    def __init__(self, api: Api, stack: Stack, day: date) -> None:
        self.api, self.stack, self.day = api, stack, day
        asked = {"logical_date": None, "conf": {"business_day": day.isoformat()}}
        self.run_id = api.call("POST", f"/dags/{NIGHTLY_DAG}/dagRuns", json=asked)["dag_run_id"]
        self.path = f"/dags/{NIGHTLY_DAG}/dagRuns/{self.run_id}"

    @property
    def state(self) -> str:
        return str(self.api.call("GET", self.path)["state"])

    @property
    def tasks(self) -> dict[str, str]:
        listed = self.api.call("GET", f"{self.path}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in listed}

    @property
    def ledger(self) -> tuple[str, str]:
        with self.stack.server.engine(WAREHOUSE_DATABASE).connect() as connection:
            asked = text("select status, message from ops.runs where run_id = :run_id")
            return tuple(connection.execute(asked, {"run_id": self.run_id}).one())

    def wait_for(self, state: str) -> None:
        until(lambda: self.state == state, f"{self.day} {state}, its tasks are {self.tasks}", MINUTES_8)

    def wait_until_asked(self) -> None:
        until(lambda: self.tasks["approve"] == "awaiting_input", f"{self.day} asked", MINUTES_8)

    def answer(self, option: str) -> None:
        # nobody answers within the second; Airflow 3.3.2 then kills the task that is just ending, and asks again
        time.sleep(8)
        asked = {"chosen_options": [option], "params_input": {}}
        self.api.call("PATCH", f"{self.path}/taskInstances/approve/-1/hitlDetails", json=asked)


def test_a_held_night_waits_for_an_answer_and_keeps_no_other_waiting(api: Api, stack: Stack, box: Mailbox) -> None:
    # the scheduled night of yesterday has no rows, and it is noon
    late = until(lambda: [post for post, _ in box.posts if post["kind"] == "late"], "told of as late", MINUTES_8)
    assert late[0]["happened"] == f"nothing has been published by 06:00 {NOON}."

    first = Night(api, stack, FIRST)
    first.wait_for("success")
    assert first.ledger[0] == "published"

    held = Night(api, stack, HELD)
    held.wait_until_asked()
    # neither green nor red
    assert held.state == "running"
    assert held.ledger[0] == "held"

    following = Night(api, stack, NEXT)
    following.wait_until_asked()
    assert held.state == "running"
    following.answer("Reject")
    following.wait_for("success")
    assert following.tasks["publish"] == "skipped"
    assert following.ledger[0] == "held"
    assert following.ledger[1].startswith("Rejected by admin")

    held.answer("Approve")
    held.wait_for("success")
    assert held.tasks["publish"] == "success"
    assert held.ledger[0] == "published"
    assert held.ledger[1].startswith("Approved by admin")

    # somebody thinks better of it: cleared, the task asks again
    cleared = {"dag_run_id": following.run_id, "task_ids": ["approve"], "include_downstream": True, "dry_run": False}
    cleared |= {"only_failed": False}
    api.call("POST", f"/dags/{NIGHTLY_DAG}/clearTaskInstances", json=cleared)
    following.wait_until_asked()
    following.answer("Approve")
    until(lambda: following.ledger[0] == "published", "published after all", MINUTES_8)

    told = [(post["kind"], post["business_day"]) for post, _ in box.posts if post["kind"] == "held"]
    assert told == [("held", str(HELD)), ("held", str(NEXT)), ("held", str(NEXT))]

    # each line of a task's log is an object that says which night it is about
    files = [file for file in stack.logs.rglob("*.log") if f"run_id={first.run_id}" in str(file)]
    logs = [file for file in files if "task_id=publish" in str(file)]
    lines = [json.loads(line) for file in logs for line in file.read_text().splitlines()]
    ours = [line for line in lines if str(line.get("logger", "")).startswith("segmentation")]
    assert ours
    assert {(line.get("business_day"), line.get("run_id")) for line in ours} == {(str(FIRST), first.run_id)}
