"""Runs of one DAG take turns: two that begin, or are cleared midway, in the same second must not both go."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, text

from segmentation.runs import start_run
from segmentation_airflow.turn import at_work, keep_turn, take_turn, under_way

DAG = "segmentation_nightly"
DAYS = {"backfill_1": date(2026, 3, 1), "backfill_2": date(2026, 3, 2), "scheduled": date(2026, 3, 9)}


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stand in for Airflow's answers about its runs: which are running, and how far their tasks are."""
    from airflow.sdk.execution_time import task_runner

    known = SimpleNamespace(running=dict.fromkeys(DAYS, True), tasks={run: {} for run in DAYS})

    class Runs:
        get_dr_count = staticmethod(lambda **_: sum(known.running.values()))
        get_task_states = staticmethod(lambda **_: {run: dict(tasks) for run, tasks in known.tasks.items()})
        get_dagrun_state = staticmethod(lambda dag_id, run_id: "running" if known.running[run_id] else "success")

    monkeypatch.setattr(task_runner, "RuntimeTaskInstance", Runs)
    return known


def take(warehouse: Engine, run_id: str) -> str:
    return take_turn(DAG, run_id, DAYS[run_id], "wait_for_source", "approve", "publish", warehouse)


def keep(warehouse: Engine, run_id: str) -> str:
    return keep_turn(DAG, run_id, DAYS[run_id], "wait_for_source", "approve", "publish", warehouse)


#: A night that was over, and in which somebody has cleared a task in the middle, without those after it.
CLEARED = {"wait_for_source": "success", "cluster": "running", "publish": "success"}


@pytest.fixture
def begun(warehouse: Engine) -> Engine:
    for run_id, day in DAYS.items():
        start_run(warehouse, run_id, day, datetime.now(UTC))
    return warehouse


def test_the_earliest_day_goes_first(begun: Engine, airflow: SimpleNamespace) -> None:
    assert take(begun, "scheduled") == "business day 2026-03-01 goes first (run backfill_1)"
    assert take(begun, "backfill_2") == "business day 2026-03-01 goes first (run backfill_1)"
    assert take(begun, "backfill_1") == ""


def test_a_later_day_that_has_begun_is_waited_for_although_its_first_task_is_not_over(
    begun: Engine, airflow: SimpleNamespace
) -> None:
    """Between a run's look and the end of its first task lies a second in which another run may look."""
    airflow.running |= {"backfill_1": False, "backfill_2": False}
    assert take(begun, "scheduled") == ""
    airflow.running |= {"backfill_1": True}
    assert take(begun, "backfill_1") == "run scheduled is under way"
    airflow.tasks["scheduled"] = {"publish": "success"}
    assert take(begun, "backfill_1") == ""


def test_a_turn_ends_with_its_run_whatever_became_of_it(begun: Engine, airflow: SimpleNamespace) -> None:
    assert take(begun, "backfill_1") == ""
    airflow.running["backfill_1"] = False
    assert take(begun, "backfill_2") == ""


def test_a_task_cleared_midway_waits_while_another_run_is_under_way(begun: Engine, airflow: SimpleNamespace) -> None:
    airflow.running |= {"backfill_1": False}
    airflow.tasks["backfill_1"] = {"wait_for_source": "success", "publish": "success"}
    assert take(begun, "backfill_2") == ""
    airflow.running |= {"backfill_1": True}
    airflow.tasks["backfill_1"] = CLEARED
    assert keep(begun, "backfill_1") == "run backfill_2 is under way"
    # the run whose turn it is goes on, whatever is cleared meanwhile
    assert keep(begun, "backfill_2") == ""
    airflow.running |= {"backfill_2": False}
    assert keep(begun, "backfill_1") == ""
    assert keep(begun, "backfill_1") == ""
    # and a run that begins now waits for the cleared one
    assert take(begun, "scheduled") == "run backfill_1 is under way"
    airflow.tasks["backfill_1"] = CLEARED | {"cluster": "success"}
    assert take(begun, "scheduled") == ""


def test_a_held_night_that_is_approved_while_another_is_under_way_waits(
    begun: Engine, airflow: SimpleNamespace
) -> None:
    airflow.running |= {"backfill_1": False}
    assert take(begun, "backfill_2") == ""
    airflow.tasks["backfill_2"] = {"wait_for_source": "success", "approve": "awaiting_input"}
    assert take(begun, "scheduled") == ""
    airflow.tasks["scheduled"] = {"wait_for_source": "success", "extract": "running"}
    airflow.tasks["backfill_2"] = {"wait_for_source": "success", "approve": "success", "publish": "running"}
    assert keep(begun, "backfill_2") == "run scheduled is under way"


def test_of_several_cleared_midway_the_earliest_goes_first(begun: Engine, airflow: SimpleNamespace) -> None:
    airflow.tasks |= dict.fromkeys(DAYS, CLEARED)
    assert keep(begun, "scheduled") == "business day 2026-03-01 goes first (run backfill_1)"
    assert keep(begun, "backfill_2") == "business day 2026-03-01 goes first (run backfill_1)"
    assert keep(begun, "backfill_1") == ""
    assert keep(begun, "scheduled") == "run backfill_1 is under way"


def test_of_one_that_begins_and_one_that_is_cleared_at_once_one_goes(begun: Engine, airflow: SimpleNamespace) -> None:
    airflow.running["backfill_2"] = False
    airflow.tasks["backfill_1"] = CLEARED
    for _ in range(10):
        assert at_once(begun, {"scheduled": take, "backfill_1": keep}) == ["backfill_1"]


def test_of_many_that_look_at_once_one_goes(begun: Engine, airflow: SimpleNamespace) -> None:
    """Days apart: each would let itself go, if it could look while another one takes the turn."""
    for _ in range(10):
        assert at_once(begun, dict.fromkeys(DAYS, take)) == ["backfill_1"]


def at_once(warehouse: Engine, asking: dict[str, Callable[[Engine, str], str]]) -> list[str]:
    """Let runs ask for a turn that nobody has, each in a session of its own, and return those that go."""
    with warehouse.begin() as connection:
        connection.execute(text("delete from ops.turns"))
    answers: dict[str, str] = {}
    gate = threading.Barrier(len(asking))

    def ask(run_id: str) -> None:
        gate.wait()
        answers[run_id] = asking[run_id](warehouse, run_id)

    threads = [threading.Thread(target=ask, args=(run_id,)) for run_id in asking]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [run_id for run_id, reason in answers.items() if not reason]


def test_a_night_is_under_way_from_its_turn_to_its_end_and_not_while_it_waits_for_rows(
    begun: Engine, airflow: SimpleNamespace
) -> None:
    """What runs beside the nights asks this."""

    def at_its_work() -> str:
        return under_way(DAG, at_work(DAG, "approve", "publish"), "wait_for_source", begun)

    assert at_its_work() == ""
    assert take(begun, "backfill_1") == ""
    assert at_its_work() == "backfill_1"
    airflow.tasks["backfill_1"] = {"wait_for_source": "success", "approve": "awaiting_input"}
    assert at_its_work() == ""
    airflow.tasks["backfill_1"] = {"wait_for_source": "success", "approve": "success"}
    assert at_its_work() == "backfill_1"
    airflow.tasks["backfill_1"] |= {"publish": "success"}
    assert at_its_work() == ""
