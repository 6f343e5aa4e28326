"""One message for a bad night, on every channel that is set up, and nothing in it that is not for everybody's eyes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine, insert, select
from tests.plugins.mailbox import PASSWORD, TOKEN, Mailbox, mailbox

from segmentation.catalog import NIGHTLY_DAG, PUBLISH_ROLE
from segmentation.config import settings
from segmentation.demo.postgres import Server
from segmentation.warehouse import alerts, runs
from segmentation_airflow.alerts import compose, send, tell_if_late

DAY = date(2026, 6, 20)
RUN = "scheduled__2026-06-21"


@pytest.fixture
def box(
    warehouse: Engine, server: Server, warehouse_database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mailbox]:
    with mailbox() as box:
        for name, value in {
            "AIRFLOW_CONN_SEGMENTATION_WAREHOUSE": server.url(warehouse_database, PUBLISH_ROLE),
            "AIRFLOW_CONN_SEGMENTATION_ALERT_EMAIL": box.email_connection,
            "AIRFLOW_CONN_SEGMENTATION_ALERT_WEBHOOK": box.webhook_connection,
            "SEGMENTATION_ALERTS__EMAIL_TO": "night@shop.example, data@shop.example",
            "SEGMENTATION_TIMEZONE": "Europe/Berlin",
        }.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        yield box
        settings.cache_clear()


def enter(warehouse: Engine, run_id: str, day: date, status: str) -> None:
    row = {"run_id": run_id, "business_day": day, "status": status, "started_at": datetime(2026, 6, 21, tzinfo=UTC)}
    with warehouse.begin() as connection:
        connection.execute(insert(runs), row)


def late_context(key: str = str(DAY)) -> dict[str, Any]:
    """Return what Airflow's deadline hands on: plain values."""
    run = {"dag_run_id": RUN, "partition_key": key, "run_after": "2026-06-20T22:00:00Z"}
    return {"dag_run": run, "deadline": {"id": "1", "deadline_time": "2026-06-21T04:00:00Z"}}


def test_both_channels_get_what_happened_what_is_served_and_what_to_do(box: Mailbox, warehouse: Engine) -> None:
    enter(warehouse, "run 1", DAY - timedelta(days=1), "published")
    send(compose("failed", DAY, RUN, "task extract failed: the <server> is away."))
    (mail,) = box.mails
    assert mail["Subject"] == f"Customer segments: the night of {DAY} failed"
    assert mail["From"] == "segments@shop.example"
    assert box.recipients == ["night@shop.example", "data@shop.example"]
    ((post, login),) = box.posts
    assert login == f"Bearer {TOKEN}"
    assert post["served"] == f"the labels of {DAY - timedelta(days=1)}."
    assert (post["kind"], post["business_day"], post["run_id"]) == ("failed", str(DAY), RUN)
    assert post["url"].endswith(f"/dags/{NIGHTLY_DAG}/runs/{RUN}")
    (html,) = box.texts()
    assert "&lt;server&gt;" in html
    for part in ("What happened:", "What is served:", "What to do:"):
        assert part in html
        assert part in post["text"]
    assert PASSWORD not in html + post["text"]


def test_a_channel_that_is_not_set_up_or_fails_does_not_keep_the_other_from_being_used(
    box: Mailbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_SEGMENTATION_ALERT_EMAIL")
    box.answer = 500
    send(compose("failed", DAY, RUN, "It broke."))
    assert len(box.posts) == 1
    assert "could not be sent through segmentation_alert_webhook: HTTPStatusError" in caplog.text
    assert "nobody, no channel is set up or works" in caplog.text
    assert "services/T0" not in caplog.text
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_ALERT_EMAIL", box.email_connection)
    send(compose("failed", DAY, RUN, "It broke."))
    assert len(box.mails) == 1


def test_it_is_told_even_when_the_warehouse_is_away(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_WAREHOUSE", "postgresql://u:s3cret@127.0.0.1:1/w")
    send(compose("failed", DAY, RUN, "It broke."))
    assert "the warehouse does not answer" in box.posts[0][0]["served"]
    tell_if_late(late_context())
    assert [post["kind"] for post, _ in box.posts] == ["failed", "late"]
    assert "s3cret@" not in str(box.posts) + "".join(box.texts())


@pytest.mark.parametrize(
    ("status", "told"), [("running", True), (None, True), ("published", False), ("held", False), ("failed", False)]
)
def test_a_late_night_is_told_of_unless_its_end_was_told_already(
    box: Mailbox, warehouse: Engine, status: str | None, told: bool
) -> None:
    if status:
        enter(warehouse, RUN, DAY, status)
    tell_if_late(late_context())
    assert [post["happened"] for post, _ in box.posts] == ["nothing has been published by 06:00 Europe/Berlin."] * told
    assert len(box.mails) == told


def test_a_late_night_that_fails_is_told_of_in_a_message_that_says_what_it_follows(
    box: Mailbox, warehouse: Engine
) -> None:
    enter(warehouse, RUN, DAY, "running")
    tell_if_late(late_context())
    send(compose("failed", DAY, RUN, "task extract failed: the server is away."))
    send(compose("failed", DAY + timedelta(days=1), "another run", "It broke."))
    late, failed, other = (post for post, _ in box.posts)
    assert (late["follows"], other["follows"]) == ("", "")
    assert failed["follows"].startswith("it is late, of ")
    assert failed["text"].startswith(f"Customer segments, follow-up: the night of {DAY} failed.")
    assert f"This follows the message that {failed['follows']}." in failed["text"]
    assert [mail["Subject"] for mail in box.mails] == [
        f"Customer segments: the night of {DAY} is late",
        f"Customer segments, follow-up: the night of {DAY} failed",
        f"Customer segments: the night of {DAY + timedelta(days=1)} failed",
    ]
    with warehouse.connect() as connection:
        told = connection.execute(select(alerts.c.run_id, alerts.c.kind, alerts.c.channels).order_by(alerts.c.alert_id))
        both = ["segmentation_alert_email", "segmentation_alert_webhook"]
        assert [tuple(row) for row in told] == [
            (RUN, "late", both),
            (RUN, "failed", both),
            ("another run", "failed", both),
        ]


def test_a_message_that_nobody_got_is_not_followed(box: Mailbox, warehouse: Engine, monkeypatch: Any) -> None:
    for name in ("EMAIL", "WEBHOOK"):
        monkeypatch.delenv(f"AIRFLOW_CONN_SEGMENTATION_ALERT_{name}")
    tell_if_late(late_context())
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_ALERT_WEBHOOK", box.webhook_connection)
    send(compose("failed", DAY, RUN, "It broke."))
    assert [post["follows"] for post, _ in box.posts] == [""]


def test_airflow_sets_a_deadline_for_scheduled_nights_and_calls_when_it_is_missed(
    box: Mailbox, airflow_database: None
) -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.deadline import Deadline
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.sdk.execution_time.callback_supervisor import execute_callback
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]), "dags-folder", None)
    # the clocks went forward in the night after the first of these days: 6 o'clock came an hour earlier
    cases = {
        date(2026, 3, 28): datetime(2026, 3, 29, 4, tzinfo=UTC),
        date(2026, 1, 5): datetime(2026, 1, 6, 5, tzinfo=UTC),
    }
    with create_session() as session:
        dag = SerializedDagModel.get_dag(NIGHTLY_DAG, session=session)

        def begin(kind: DagRunType, day: date) -> list[Deadline]:
            after = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1)
            run = dag.create_dagrun(
                run_id=f"{kind.value}__{day}",
                run_after=after,
                run_type=kind,
                triggered_by=DagRunTriggeredByType.TEST,
                state="running",
                partition_key=str(day),
                session=session,
            )
            session.flush()
            return list(session.query(Deadline).filter(Deadline.dagrun_id == run.id))

        for day, due in cases.items():
            (deadline,) = begin(DagRunType.SCHEDULED, day)
            assert deadline.deadline_time == due
        assert begin(DagRunType.BACKFILL_JOB, DAY) == []
        assert begin(DagRunType.MANUAL, DAY) == []
        deadline.handle_miss(session)
        path, arguments = deadline.callback.data["path"], deadline.callback.data["kwargs"]
        session.rollback()
    assert execute_callback(path, arguments, "", None, structlog.get_logger()) == (True, None)
    ((post, _),) = box.posts
    assert (post["kind"], post["business_day"]) == ("late", "2026-01-05")


def test_the_text_of_an_unforeseen_error_stays_in_the_house(make_settings: Callable[..., Any]) -> None:
    from segmentation.alert import happened_in
    from segmentation.errors import SourceBehind

    assert "jane@example.org" not in happened_in("encode", ValueError("jane@example.org"))
    assert "no source rows past the end" in happened_in("wait", SourceBehind(DAY, "never", "06:00"))
