"""An erasure as Airflow runs it: nothing without a request, a certificate with one, and no key of a customer kept."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from tests.dags.airflow_state import end_nights

from segmentation.catalog import ERASURE_DAG, PUBLISH_ROLE
from segmentation.config import Settings, settings
from segmentation.demo.postgres import Server
from segmentation.erasure.requests import request_erasure

CUSTOMER = "customer-4711"


@pytest.fixture
def place(
    make_settings: Callable[..., Settings],
    server: Server,
    warehouse: Engine,
    warehouse_database: str,
    airflow_database: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Engine]:
    make_settings()
    end_nights()
    monkeypatch.setenv("SEGMENTATION_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SEGMENTATION_PRIVACY__KEY", "k" * 32)
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_WAREHOUSE", server.url(warehouse_database, PUBLISH_ROLE))
    yield warehouse
    settings.cache_clear()


def run() -> Any:
    """Run the DAG to its end."""
    from airflow.dag_processing.dagbag import DagBag

    settings.cache_clear()
    return DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[ERASURE_DAG].test(logical_date=None)


def states(done: Any) -> dict[str, str]:
    return {task.task_id: str(task.state) for task in done.get_task_instances()}


def test_without_a_request_there_is_nothing_to_do(place: Engine) -> None:
    assert states(run()) == {"requests_waiting": "success", "erase": "skipped"}


def test_a_request_ends_in_a_certificate_and_the_customer_is_not_named(
    place: Engine, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with place.begin() as connection:
        connection.execute(
            text(
                "insert into marts.customer_segment_history (customer_id, valid_from, segment_id, run_id) "
                "values (:id, '2026-01-01', 1, 'r')"
            ),
            {"id": CUSTOMER},
        )
    number = request_erasure(place, CUSTOMER, "ticket")
    done = run()
    assert states(done) == {"requests_waiting": "success", "erase": "success"}
    with place.connect() as connection:
        row = connection.execute(text("select * from ops.erasure_certificates")).one()
        left = connection.scalar(text("select count(*) from marts.customer_segment_history"))
    assert (row.request_id, row.run_id, row.found) == (number, done.run_id, {"marts.customer_segment_history": 1})
    assert left == 0
    with create_session() as session:
        kept = [str(row.value) for row in session.query(XComModel).filter(XComModel.run_id == done.run_id)]
        kept += [
            json.dumps(row.rendered_fields)
            for row in session.query(RenderedTaskInstanceFields).filter(
                RenderedTaskInstanceFields.run_id == done.run_id
            )
        ]
    told = "".join(kept) + capsys.readouterr().out + caplog.text
    assert "Certified" in told
    assert CUSTOMER not in told
    assert states(run()) == {"requests_waiting": "success", "erase": "skipped"}
