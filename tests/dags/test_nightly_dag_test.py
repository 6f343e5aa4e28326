"""The night as Airflow runs it, on a small shop: what a data engineer sees when it goes well, and when not."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, make_url, text
from tests.plugins.mailbox import Mailbox, mailbox

from segmentation.calendar import day_interval
from segmentation.catalog import EXTRACT_ROLE, NIGHTLY_DAG, PUBLISH_ROLE
from segmentation.config import settings
from segmentation.demo.postgres import Server

DAY = date(2026, 6, 20)
WEEK_LATER = date(2026, 6, 27)
TASKS = ("wait_for_source", "extract", "validate", "features", "encode", "cluster", "evaluate", "approve", "publish")
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
        # Airflow 3.3.2: dag.test() of a DAG with a deadline breaks after the last task; a scheduler has no such trouble
        dag.deadline = None
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
    _, run = first_night
    client = api()
    links = client.get(f"/api/v2/dags/{NIGHTLY_DAG}/dagRuns/{run.run_id}/taskInstances/validate/links").json()[
        "extra_links"
    ]
    page = client.get(links["Data Docs"])
    assert page.status_code == 200
    assert str(DAY) in page.text


@pytest.fixture
def held(make_place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch) -> Place:
    """Make a place with one published night, where a gate holds the next one; a customer comes in between."""
    place = make_place(**NO_MODEL)
    assert _states(place.run(DAY)) == ALL_SUCCEEDED
    with place.shop.begin() as owner:
        owner.execute(
            text("insert into shop.customers (customer_id, created_at, updated_at) values (900001, :at, :at)"),
            {"at": day_interval(WEEK_LATER, "Europe/Berlin").start},
        )
    monkeypatch.setenv("SEGMENTATION_EVALUATE__MOVED_SHARE_LIMIT", "0")
    return place


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """Return a webhook and a mail server that are told of bad nights."""
    with mailbox() as box:
        monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_ALERT_WEBHOOK", box.webhook_connection)
        monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_ALERT_EMAIL", box.email_connection)
        monkeypatch.setenv("SEGMENTATION_ALERTS__EMAIL_TO", "night@shop.example")
        yield box


class Person(threading.Thread):
    """Somebody who looks at *Required actions* until there is a question, and answers it through Airflow's API."""

    def __init__(self, answer: Callable[[TestClient, dict[str, Any]], None]) -> None:
        super().__init__(daemon=True)
        self.answer = answer
        self.question: dict[str, Any] = {}
        self.error: Exception | None = None

    def run(self) -> None:
        client = api()
        try:
            for _ in range(240):
                open_ones = client.get(
                    "/api/v2/dags/~/dagRuns/~/hitlDetails", params={"response_received": False}
                ).json()["hitl_details"]
                # the question is there a moment before the task waits; who answers then is heard at the timeout only
                if open_ones and open_ones[0]["task_instance"]["state"] == "awaiting_input":
                    (self.question,) = open_ones
                    self.answer(client, self.question)
                    return
                time.sleep(0.5)
        except Exception as error:
            self.error = error
            # else the run would wait for ever
            if self.question:
                choose("Reject")(client, self.question)

    def asked(self) -> dict[str, Any]:
        """Return the question that was answered."""
        self.join()
        if self.error:
            raise self.error
        assert self.question, "nothing was asked"
        return self.question


def api() -> TestClient:
    """Return a client of Airflow's API, logged in as admin."""
    from airflow.api_fastapi.app import create_app

    client = TestClient(create_app())
    passwords = json.loads(Path(os.environ["AIRFLOW_HOME"], "simple_auth_manager_passwords.json.generated").read_text())
    login = {"username": "admin", "password": passwords["admin"]}
    client.headers["Authorization"] = f"Bearer {client.post('/auth/token', json=login).json()['access_token']}"
    return client


def choose(option: str) -> Callable[[TestClient, dict[str, Any]], None]:
    """Return the answer ``option``, as the page *Required actions* sends it."""

    def answer(client: TestClient, question: dict[str, Any]) -> None:
        asked = question["task_instance"]
        done = client.patch(
            f"/api/v2/dags/{asked['dag_id']}/dagRuns/{asked['dag_run_id']}/taskInstances/{asked['task_id']}/-1/hitlDetails",
            json={"chosen_options": [option], "params_input": {}},
        )
        assert done.status_code == 200, done.text

    return answer


def never(client: TestClient, question: dict[str, Any]) -> None:
    """Give no answer: the next night begins, and Airflow's scheduler looks at the clock."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        waiting = session.query(TaskInstance).filter(TaskInstance.state == "awaiting_input").one()
        until = waiting.trigger_timeout
        midnight = until.astimezone(ZoneInfo("Europe/Berlin"))
        assert midnight.time() < datetime.min.replace(minute=1).time()
        assert until - datetime.now(UTC) <= timedelta(hours=25)
        waiting.trigger_timeout = datetime.now(UTC) - timedelta(seconds=1)
    SchedulerJobRunner(Job()).check_awaiting_input_timeouts()


def _labels(place: Place) -> list[Any]:
    return place.rows("select * from marts.customer_segments where not provisional order by customer_id")


@pytest.mark.parametrize(
    ("answer", "said"),
    [(choose("Reject"), "Rejected by admin"), (never, "Rejected since nobody answered before the next night")],
    ids=["rejected", "not answered"],
)
def test_a_held_night_that_nobody_approves_leaves_the_labels(
    held: Place, answer: Callable[[TestClient, dict[str, Any]], None], said: str
) -> None:
    before = _labels(held)
    seen: list[Any] = []

    def look_and_answer(client: TestClient, question: dict[str, Any]) -> None:
        seen.extend(held.rows("select status, message from ops.runs where status = 'held'"))
        answer(client, question)

    person = Person(look_and_answer)
    person.start()
    run = held.run(WEEK_LATER)
    question = person.asked()
    assert _states(run) == ALL_SUCCEEDED | {"publish": "skipped"}
    assert _labels(held) == before
    # while it waited the ledger told the same
    assert [row.status for row in seen] == ["held"]
    assert "changed segment" in seen[0].message
    assert f"Served are the labels of {DAY}" in seen[0].message
    assert str(WEEK_LATER) in question["subject"]
    assert "changed segment" in question["body"]
    assert question["defaults"] == ["Reject"]
    ledger = held.ledger(run.run_id)
    assert ledger.status == "held"
    assert ledger.message.startswith(said)
    assert "changed segment" in ledger.message


def test_who_came_since_is_labelled_while_the_night_is_held(held: Place) -> None:
    person = Person(choose("Reject"))
    person.start()
    held.run(WEEK_LATER)
    person.asked()
    rows = held.rows("select * from marts.customer_segments where provisional")
    came = {row.customer_id: row for row in rows}
    assert came["900001"].segment_name == "No order yet"
    assert {(row.as_of, row.since) for row in rows} == {(DAY, WEEK_LATER)}
    known = {tuple(row) for row in held.rows("select segment_id, name from marts.segments")}
    assert {(row.segment_id, row.segment_name) for row in rows} <= known
    assert held.rows(
        "select count(*) from marts.customer_segment_history join marts.customer_segments using (customer_id) "
        "where provisional"
    ) == [(0,)]


def test_an_approved_night_is_published_and_the_ledger_says_by_whom(held: Place, box: Mailbox) -> None:
    person = Person(choose("Approve"))
    person.start()
    run = held.run(WEEK_LATER)
    person.asked()
    # told once, when the question was asked
    ((post, _),) = box.posts
    assert (post["kind"], post["business_day"], post["run_id"]) == ("held", str(WEEK_LATER), run.run_id)
    assert "changed segment" in post["happened"]
    assert post["served"] == f"the labels of {DAY}."
    assert "Required actions" in post["do"]
    assert len(box.mails) == 1
    assert _states(run) == ALL_SUCCEEDED
    ledger = held.ledger(run.run_id)
    assert ledger.status == "published"
    assert ledger.message.startswith("Approved by admin, although: ")
    assert "changed segment" in ledger.message
    assert held.rows("select distinct as_of, provisional from marts.customer_segments") == [(WEEK_LATER, False)]
    assert held.rows("select consequence from ops.metrics where business_day = :day and not passed", day=WEEK_LATER)[
        0
    ].consequence.startswith("holds the publication")


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


def test_the_future_is_refused_and_told(make_place: Callable[..., Place], box: Mailbox, server: Server) -> None:
    place = make_place()
    run = place.run(datetime.now(UTC).date() + timedelta(days=3))
    ((post, _),) = box.posts
    assert post["kind"] == "failed"
    assert "task wait_for_source failed: business day" in post["happened"]
    assert post["served"] == "nothing: no night has been published yet."
    assert [mail["Subject"] for mail in box.mails] == [post["text"].partition(".\n")[0]]
    told = str(box.posts) + "".join(box.texts())
    assert not [password for password in server.passwords.values() if password in told]
    assert _states(run)["wait_for_source"] == "failed"
    assert "has not ended in the shop's timezone" in place.ledger(run.run_id).message
