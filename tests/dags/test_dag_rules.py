"""House rules of every DAG. A message says the DAG, its file, the rule, and what to do."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, PartitionedAssetTimetable

from segmentation.catalog import APPROVAL_TASK, INTRADAY_DAG, LAST_TASK, OUR_DAGS

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"
FILES = sorted(DAGS.glob("*.py"))
#: What a DAG may be tagged with; another tag is added here first, so that the UI's filter stays short.
ALLOWED_TAGS = {"segmentation", "nightly", "activation", "privacy", "housekeeping", "intraday"}
MOST_LINES = 119
#: Imports that take seconds. They belong inside the step that needs them.
HEAVY = ("duckdb", "fastapi", "great_expectations", "keras", "pandas", "scipy", "sklearn", "tensorflow")
PARSE_LIMIT_S = 1.0


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(str(DAGS))


@pytest.fixture(scope="module")
def dags(bag: DagBag) -> list[DAG]:
    return list(bag.dags.values())


def _broken(dag: DAG, rule: str, remedy: str) -> str:
    return f"{dag.dag_id} ({Path(dag.fileloc).name}) breaks the rule '{rule}': {remedy}"


def test_every_file_is_read_and_holds_the_dag_it_is_named_after(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert {file.stem for file in FILES} == set(bag.dags), "file name = dag_id: rename the file or the DAG"
    assert "segmentation_nightly" in bag.dags


def test_a_dag_file_is_a_table_of_contents(dags: list[DAG]) -> None:
    for dag in dags:
        lines = len(Path(dag.fileloc).read_text().splitlines())
        assert lines <= MOST_LINES, _broken(
            dag, f"at most {MOST_LINES} lines", f"it has {lines}: move code to include/"
        )


def test_the_docstring_answers_the_person_on_call(dags: list[DAG]) -> None:
    for dag in dags:
        text = ast.get_docstring(ast.parse(Path(dag.fileloc).read_text())) or ""
        assert dag.doc_md, _broken(dag, "doc_md", "pass doc_md=__doc__")
        assert dag.description, _broken(dag, "description", "pass the first line of the docstring")
        for question in ("If it fails", "May I rerun it?", "Reads", "Writes", "Owner", "Runbook"):
            assert question in text, _broken(dag, "docstring", f"say '{question}'")


def test_tags_come_from_the_list(dags: list[DAG]) -> None:
    for dag in dags:
        assert dag.tags, _broken(dag, "tags", f"choose from {sorted(ALLOWED_TAGS)}")
        assert set(dag.tags) <= ALLOWED_TAGS, _broken(dag, "tags", f"{dag.tags}: choose from {sorted(ALLOWED_TAGS)}")


def test_a_task_has_an_owner_patience_and_an_end_and_a_night_keeps_its_failure(dags: list[DAG]) -> None:
    for dag in dags:
        for task in dag.tasks:
            where = f"task {task.task_id}"
            assert task.owner not in ("", "airflow"), _broken(dag, f"{where}: owner", "set it in default_args")
            assert task.retries, _broken(dag, f"{where}: retries", "a database may be away for a minute: set retries")
            assert task.retry_policy, _broken(dag, f"{where}: retry_policy", "what no retry can mend must fail at once")
            assert task.execution_timeout, _broken(dag, f"{where}: execution_timeout", "nothing may hang for ever")
            assert task.on_failure_callback or "nightly" not in dag.tags, _broken(
                dag, f"{where}: on_failure_callback", "ops.runs must know"
            )


def test_a_param_explains_itself(dags: list[DAG]) -> None:
    for dag in dags:
        for name in dag.params:
            param = dag.params.get_param(name)
            told = {"description": param.description, **param.schema}
            for part in ("type", "title", "description", "section"):
                assert told.get(part), _broken(dag, f"param {name}: {part}", "a form without it is guesswork")


def test_the_nightly_dag_is_wired_as_designed(bag: DagBag) -> None:
    edges = {task.task_id: sorted(task.downstream_task_ids) for task in bag.dags["segmentation_nightly"].tasks}
    assert edges == {
        "wait_for_source": ["extract"],
        "extract": ["validate"],
        "validate": ["features"],
        "features": ["approve", "cluster", "encode", "evaluate", "publish"],
        "encode": ["cluster"],
        "cluster": ["evaluate", "publish"],
        "evaluate": ["approve"],
        "approve": ["publish"],
        "publish": [],
    }


def test_the_export_hears_the_nights_event_and_sends_nothing_unless_asked(bag: DagBag) -> None:
    dag = bag.dags["audience_export"]
    assert {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks} == {
        "list_destinations": ["export"],
        "export": [],
    }
    # the night's event is partitioned, and Airflow tells it to timetables of this kind only
    assert isinstance(dag.timetable, PartitionedAssetTimetable)
    assert dag.timetable.asset_condition == bag.dags["segmentation_nightly"].get_task("publish").outlets[0]
    assert dag.params["send"] is False
    assert dag.max_active_runs == 1
    assert dag.is_paused_upon_creation is False


def test_housekeeping_removes_nothing_unless_asked(bag: DagBag) -> None:
    dag = bag.dags["segmentation_housekeeping"]
    assert [task.task_id for task in dag.tasks] == ["tidy"]
    assert dag.params["remove"] is False
    assert set(OUR_DAGS) == set(bag.dags)


def test_erasures_run_by_day_and_only_if_asked_for(bag: DagBag) -> None:
    dag = bag.dags["customer_erasure"]
    assert {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks} == {
        "requests_waiting": ["erase"],
        "erase": [],
    }
    assert dag.max_active_runs == 1
    assert dag.is_paused_upon_creation is False


def test_labels_within_the_day_wait_to_be_asked_for_and_tell_nobody_of_a_night(bag: DagBag) -> None:
    dag = bag.dags[INTRADAY_DAG]
    assert [task.task_id for task in dag.tasks] == ["bring_forward"]
    # it reads the shop's database all day: somebody has to want that
    assert dag.is_paused_upon_creation is True
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    # the export goes out once a night
    assert not dag.get_task("bring_forward").outlets


def test_the_nightly_dag_is_never_paused_and_an_open_question_keeps_no_night_waiting(bag: DagBag) -> None:
    dag = bag.dags["segmentation_nightly"]
    # one night at work, one that waits for an answer, one that was asked for by hand; turn.py lets them go one by one
    assert dag.max_active_runs == 3
    assert {APPROVAL_TASK, LAST_TASK} <= set(dag.task_ids)
    assert dag.catchup is False
    assert dag.is_paused_upon_creation is False
    assert [asset.name for asset in dag.get_task("publish").outlets] == ["marts.customer_segments"]
    assert [link.name for link in dag.get_task("validate").operator_extra_links] == ["Data Docs"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_dag_file_is_read_fast_and_imports_nothing_heavy(file: Path) -> None:
    code = (
        "import json, sys, time, airflow.sdk, airflow.dag_processing.dagbag, airflow.triggers.base\n"
        "before, began = set(sys.modules), time.process_time()\n"
        f"import {file.stem}\n"
        "print(json.dumps([time.process_time() - began, sorted(set(sys.modules) - before)]))"
    )
    path = os.pathsep.join(str(ROOT / folder) for folder in ("dags", "plugins", "include"))
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    seconds, imported = json.loads(done.stdout.splitlines()[-1])
    heavy = [name for name in HEAVY if name in imported]
    assert not heavy, f"{file.name} imports {heavy} when it is read: import them inside the step"
    assert seconds < PARSE_LIMIT_S, (
        f"{file.name} takes {seconds:.2f} s to read, every 30 s: find out with python -X importtime"
    )


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


def test_the_product_imports_no_airflow() -> None:
    files = sorted((ROOT / "include").rglob("*.py"))
    assert files
    guilty = [
        str(file.relative_to(ROOT))
        for file in files
        if any(
            name.split(".")[0] in ("airflow", "segmentation_airflow") for name in _imports(ast.parse(file.read_text()))
        )
    ]
    assert not guilty, f"{guilty} import Airflow: include/ has to run without it; hand in what they need from plugins/"
