"""The night as Airflow runs it, on a small shop: what a data engineer sees when it goes well, and when not."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, text

from segmentation.calendar import day_interval
from segmentation.catalog import EXTRACT_ROLE, NIGHTLY_DAG, PUBLISH_ROLE
from segmentation.config import settings
from segmentation.demo.postgres import Server

# one process for all that needs Airflow's database: making it takes a while
pytestmark = pytest.mark.xdist_group("airflow")

DAY = date(2026, 6, 20)
WEEK_LATER = date(2026, 6, 27)
TASKS = ("wait_for_source", "extract", "validate", "features", "encode", "cluster", "evaluate", "publish")
ALL_SUCCEEDED = dict.fromkeys(TASKS, "success")
#: As little training as makes a model, so that a test is quick.
QUICK = {
    "SEGMENTATION_FEATURES__TRAINING_CUTOFFS": "1",
    "SEGMENTATION_ENCODER__COLD_EPOCHS": "1",
    "SEGMENTATION_CLUSTERS__K_MAX": "5",
    "SEGMENTATION_CLUSTERS__BOOTSTRAPS": "2",
}
#: A shop too small for a model: RFM segments are published.
NO_MODEL = {"SEGMENTATION_ENCODER__MINIMUM_CUSTOMERS": "100000"}


@dataclass
class Place:
    """A shop, a warehouse and an Airflow to run nights in."""

    shop: Engine
    warehouse: Engine

    def run(self, day: date, *, retries: int | None = None, only_wait: bool = False) -> Any:
        """Run one night to its end with `dag.test()` and return Airflow's run.

        Parameters
        ----------
        day : date
            Business day, given as the form does.
        retries : int, optional
            Retries of each task, without a pause between them; the DAG's own by default.
        only_wait : bool
            Whether every task after the first is passed over.
        """
        from airflow.dag_processing.dagbag import DagBag

        settings.cache_clear()
        dag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[NIGHTLY_DAG]
        for task in dag.tasks if retries is not None else ():
            task.retries, task.retry_delay = retries, timedelta(0)
        return dag.test(
            logical_date=None,
            run_conf={"business_day": day.isoformat()},
            mark_success_pattern="(?!wait_for_source).*" if only_wait else None,
        )

    def ledger(self, run_id: str) -> Any:
        """Return the run's row of `ops.runs`."""
        return self.rows("select * from ops.runs where run_id = :run_id", run_id=run_id)[0]

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        """Return the rows of a query on the warehouse."""
        with self.warehouse.connect() as connection:
            return list(connection.execute(text(query), parameters))


def _states(run: Any) -> dict[str, str]:
    return {task.task_id: str(task.state) for task in run.get_task_instances()}


def _tries(run: Any) -> dict[str, int]:
    return {task.task_id: task.try_number for task in run.get_task_instances()}


@pytest.fixture(scope="module")
def make_place(
    server: Server,
    _small_shop_template: str,
    _warehouse_template: str,
    tmp_path_factory: pytest.TempPathFactory,
    airflow_database: None,
) -> Iterator[Callable[..., Place]]:
    from segmentation.publish.roles import grant_warehouse_roles

    kept = pytest.MonkeyPatch()
    databases: list[str] = []

    def make(**variables: str) -> Place:
        number = len(databases)
        shop, warehouse = f"night_shop_{number}", f"night_warehouse_{number}"
        databases.extend((shop, warehouse))
        server.create_database(shop, template=_small_shop_template)
        server.create_database(warehouse, template=_warehouse_template)
        with server.engine("postgres").begin() as owner:
            owner.execute(text(f"grant connect on database {shop} to {EXTRACT_ROLE}"))
        grant_warehouse_roles(server.engine(warehouse))
        for name, value in {
            "SEGMENTATION_HOME": str(tmp_path_factory.mktemp("home")),
            "SEGMENTATION_TIMEZONE": "Europe/Berlin",
            "AIRFLOW_CONN_SEGMENTATION_SOURCE": server.url(shop, EXTRACT_ROLE),
            "AIRFLOW_CONN_SEGMENTATION_WAREHOUSE": server.url(warehouse, PUBLISH_ROLE),
            **QUICK,
            **variables,
        }.items():
            kept.setenv(name, value)
        return Place(server.engine(shop), server.engine(warehouse))

    yield make
    kept.undo()
    settings.cache_clear()
    for database in databases:
        server.drop_database(database)


@pytest.fixture(scope="module")
def first_night(make_place: Callable[..., Place]) -> tuple[Place, Any]:
    place = make_place()
    return place, place.run(DAY)


def test_every_task_succeeds_and_the_marts_are_filled(first_night: tuple[Place, Any]) -> None:
    place, run = first_night
    assert _states(run) == ALL_SUCCEEDED
    assert place.rows("select count(*) from ops.models")[0][0] == 1
    customers, as_of = place.rows("select count(*), max(as_of) from marts.customer_segments")[0]
    assert customers > 300
    assert as_of == DAY
    assert (
        place.rows("select count(*) from marts.customer_segment_history where valid_from = :day", day=DAY)[0][0]
        == customers
    )
    ledger = place.ledger(run.run_id)
    assert (ledger.business_day, ledger.status, ledger.customers) == (DAY, "published", customers)


def test_the_asset_event_carries_day_and_counts(first_night: tuple[Place, Any]) -> None:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    place, run = first_night
    with create_session() as session:
        events = session.query(AssetEvent).filter(AssetEvent.source_run_id == run.run_id).all()
        told = [
            (event.name, event.partition_key, event.extra["business_day"], event.extra["customers"]) for event in events
        ]
    assert told == [("marts.customer_segments", str(DAY), str(DAY), place.ledger(run.run_id).customers)]


def test_no_password_is_in_xcoms_or_rendered_fields(first_night: tuple[Place, Any], server: Server) -> None:
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        kept = [str(row.value) for row in session.query(XComModel).all()]
        kept += [json.dumps(row.rendered_fields) for row in session.query(RenderedTaskInstanceFields).all()]
    assert len(kept) > len(TASKS)
    assert not [value for value in kept if any(password in value for password in server.passwords.values())]
    assert max(map(len, kept)) < 10_000


def test_the_validate_task_links_to_its_data_docs(first_night: tuple[Place, Any]) -> None:
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    _, run = first_night
    client = TestClient(create_app())
    passwords = json.loads(Path(os.environ["AIRFLOW_HOME"], "simple_auth_manager_passwords.json.generated").read_text())
    token = client.post("/auth/token", json={"username": "admin", "password": passwords["admin"]}).json()[
        "access_token"
    ]
    headers = {"Authorization": f"Bearer {token}"}
    links = client.get(
        f"/api/v2/dags/{NIGHTLY_DAG}/dagRuns/{run.run_id}/taskInstances/validate/links", headers=headers
    ).json()["extra_links"]
    page = client.get(links["Data Docs"], headers=headers)
    assert page.status_code == 200
    assert str(DAY) in page.text


def test_a_gate_holds_the_night_and_the_labels_stay(
    make_place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_place(**NO_MODEL)
    assert _states(place.run(DAY)) == ALL_SUCCEEDED
    before = place.rows("select * from marts.customer_segments order by customer_id")
    monkeypatch.setenv("SEGMENTATION_EVALUATE__MOVED_SHARE_LIMIT", "0")
    run = place.run(WEEK_LATER)
    assert _states(run) == ALL_SUCCEEDED | {"publish": "skipped"}
    assert place.rows("select * from marts.customer_segments order by customer_id") == before
    ledger = place.ledger(run.run_id)
    assert ledger.status == "held"
    assert "changed segment" in ledger.message


def test_what_no_retry_can_mend_fails_at_once(make_place: Callable[..., Place]) -> None:
    place = make_place()
    with place.shop.begin() as owner:
        start = day_interval(DAY, "Europe/Berlin")
        lost = owner.execute(
            text("delete from shop.orders where ordered_at >= :start and ordered_at < :end returning order_id"),
            asdict(start),
        )
        ids = list(lost.scalars())
        owner.execute(text("delete from shop.order_items where order_id = any(:ids)"), {"ids": ids})
    run = place.run(DAY)
    done = {"wait_for_source": "success", "extract": "success", "validate": "failed"}
    assert _states(run) == dict.fromkeys(TASKS, "upstream_failed") | done
    assert _tries(run)["validate"] == 1
    ledger = place.ledger(run.run_id)
    assert ledger.status == "failed"
    assert ledger.message.startswith("validate: check ")
    assert ledger.finished_at is not None


def test_the_source_is_waited_for_without_a_worker(
    make_place: Callable[..., Place], capsys: pytest.CaptureFixture[str]
) -> None:
    # somewhere it is now 2 at night, and the orders of the day that just ended are not there yet
    east = (2 - datetime.now(UTC).hour + 12) % 24 - 12
    place = make_place(SEGMENTATION_TIMEZONE=f"Etc/GMT{-east:+d}", SEGMENTATION_EXTRACT__POLL_S="1")
    yesterday = (datetime.now(UTC) + timedelta(hours=east)).date() - timedelta(days=1)

    def an_order_comes_in() -> None:
        with place.shop.begin() as owner:
            owner.execute(
                text(
                    "update shop.orders set ordered_at = now() where order_id = (select max(order_id) from shop.orders)"
                )
            )

    late = threading.Timer(4, an_order_comes_in)
    late.start()
    run = place.run(yesterday, only_wait=True)
    late.join()
    assert _states(run)["wait_for_source"] == "success"
    assert _tries(run)["wait_for_source"] == 1
    told = capsys.readouterr().out
    assert f"waiting for rows past the end of {yesterday}" in told
    assert told.index("Pausing task as DEFERRED") < told.index(f"the source goes past the end of {yesterday}")


def test_an_outage_is_retried_and_then_told(make_place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch) -> None:
    place = make_place()
    url = make_url(os.environ["AIRFLOW_CONN_SEGMENTATION_SOURCE"]).set(port=1)
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_SOURCE", url.render_as_string(hide_password=False))
    run = place.run(DAY, retries=1)
    assert _states(run)["wait_for_source"] == "failed"
    assert _tries(run)["wait_for_source"] == 2
    ledger = place.ledger(run.run_id)
    assert ledger.status == "failed"
    assert "cannot be reached" in ledger.message


def test_without_a_warehouse_the_task_still_tells_why(
    make_place: Callable[..., Place],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = make_place()
    url = make_url(os.environ["AIRFLOW_CONN_SEGMENTATION_WAREHOUSE"]).set(port=1)
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_WAREHOUSE", url.render_as_string(hide_password=False))
    run = place.run(DAY, retries=0)
    assert _states(run) == dict.fromkeys(TASKS, "upstream_failed") | {"wait_for_source": "failed"}
    told = capsys.readouterr().out + caplog.text
    assert "the warehouse database at 127.0.0.1:1/" in told
    assert "The run could not be marked failed in ops.runs" in told
    assert url.password not in told


def test_a_wrong_password_is_told_without_showing_it(
    make_place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_place()
    url = make_url(os.environ["AIRFLOW_CONN_SEGMENTATION_SOURCE"]).set(password="no-such-password")
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_SOURCE", url.render_as_string(hide_password=False))
    run = place.run(DAY)
    assert _states(run) == dict.fromkeys(TASKS, "upstream_failed") | {"wait_for_source": "failed"}
    assert _tries(run)["wait_for_source"] == 1
    ledger = place.ledger(run.run_id)
    assert f"refuses user '{EXTRACT_ROLE}'" in ledger.message
    assert "no-such-password" not in ledger.message


def test_the_future_is_refused(make_place: Callable[..., Place]) -> None:
    place = make_place()
    run = place.run(datetime.now(UTC).date() + timedelta(days=3))
    assert _states(run)["wait_for_source"] == "failed"
    assert "has not ended in the shop's timezone" in place.ledger(run.run_id).message
