"""A wait may outlive the process that began it: what is kept of it has to be enough to go on, and no secret."""

import json
from dataclasses import asdict

from airflow.sdk.module_loading import import_string

from segmentation_airflow.wait import Beginning, BeginTrigger


def test_another_triggerer_goes_on_from_what_is_kept() -> None:
    beginning = Beginning("segmentation_nightly", "run 1", "2017-10-01", "wait_for_source", "approve", "publish", False)
    path, kept = BeginTrigger(asdict(beginning), wait_s=60).serialize()
    again = import_string(path)(**json.loads(json.dumps(kept)))
    assert isinstance(again, BeginTrigger)
    assert (again.beginning, again.wait_s) == (beginning, 60)


def test_what_is_kept_are_names_only() -> None:
    _, kept = BeginTrigger(
        asdict(Beginning("dag", "run", "2017-10-01", "first", "approve", "last", True)), wait_s=3
    ).serialize()
    assert set(kept["beginning"]) == {
        "dag_id",
        "run_id",
        "day",
        "first_task",
        "approval_task",
        "last_task",
        "accept_unusual_day",
    }
