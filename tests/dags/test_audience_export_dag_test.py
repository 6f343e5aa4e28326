"""The export as Airflow runs it: when it starts, what the form does, and that a destination fails by itself."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.segmentation.activation.conftest import LABELS, Marketing
from tests.segmentation.activation.receiver import Receiver, receiving

from segmentation.catalog import MARKETING_ROLE, PUBLISH_ROLE
from segmentation.config import Settings, settings
from segmentation.demo.postgres import Server

TOKEN = "t0p-secret-token"


@pytest.fixture
def crm() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def shop(
    make_settings: Callable[..., Settings],
    warehouse: Engine,
    server: Server,
    warehouse_database: str,
    airflow_database: None,
    crm: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Marketing]:
    shop = Marketing(make_settings(timezone="UTC", publish={"holdout_share": 0}), warehouse)
    shop.marketing = server.engine(warehouse_database, MARKETING_ROLE)
    shop.night(0, LABELS)
    shop.launch()
    urls = {"crm": crm.url, "files": (tmp_path / "exports").as_uri()}
    monkeypatch.setenv("SEGMENTATION_ACTIVATION__DESTINATIONS", json.dumps(urls))
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_WAREHOUSE", server.url(warehouse_database, PUBLISH_ROLE))
    monkeypatch.setenv(
        "AIRFLOW_CONN_SEGMENTATION_DESTINATION_CRM", json.dumps({"conn_type": "http", "password": TOKEN})
    )
    yield shop
    shop.marketing.dispose()
    settings.cache_clear()


def run(*, retries: int | None = None, **form: Any) -> Any:
    """Run the DAG to its end, with the form filled in."""
    from airflow.dag_processing.dagbag import DagBag

    settings.cache_clear()
    dag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags["audience_export"]
    for task in dag.tasks if retries is not None else ():
        task.retries, task.retry_delay = retries, timedelta(0)
    return dag.test(logical_date=None, run_conf=form)


def states(done: Any) -> dict[str, str]:
    return {f"{task.task_id}[{task.map_index}]": str(task.state) for task in done.get_task_instances()}


ALL_SUCCEEDED = {"list_destinations[-1]": "success", "export[0]": "success", "export[1]": "success"}


def test_without_a_word_nothing_is_sent(shop: Marketing, crm: Receiver, tmp_path: Path) -> None:
    done = run()
    assert states(done) == ALL_SUCCEEDED
    assert crm.keys == []
    assert not (tmp_path / "exports").exists()
    assert shop.log() == []


def test_a_run_that_may_send_tells_each_destination_once_and_no_token_is_kept(
    shop: Marketing,
    crm: Receiver,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    done = run(send=True)
    assert states(done) == ALL_SUCCEEDED
    assert [c["customer_id"] for body in crm.bodies for c in body["customers"]] == shop.treated()
    assert crm.logins == [f"Bearer {TOKEN}"]
    assert len(list((tmp_path / "exports").rglob("*.csv"))) == 1
    assert {row[0] for row in shop.log("run_id")} == {done.run_id}
    assert len(shop.log(where="sent_at is not null")) == 2 * len(shop.treated())
    with create_session() as session:
        kept = [str(row.value) for row in session.query(XComModel).filter(XComModel.run_id == done.run_id)]
        kept += [
            json.dumps(row.rendered_fields)
            for row in session.query(RenderedTaskInstanceFields).filter(
                RenderedTaskInstanceFields.run_id == done.run_id
            )
        ]
        shown = [
            task.rendered_map_index for task in done.get_task_instances(session=session) if task.task_id == "export"
        ]
    assert sorted(shown) == ["crm", "files"]
    assert any("Spring, part 1" in value for value in kept)
    told = "".join(kept) + capsys.readouterr().out + caplog.text
    assert "Sent to crm, campaign 1" in told
    assert TOKEN not in told
    # the address's path may be a secret, too
    assert "hooks/audience" not in told
    run(send=True)
    assert len(crm.keys) == 1


def test_the_settings_may_let_every_night_send(shop: Marketing, crm: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTATION_ACTIVATION__SEND", "true")
    run()
    assert len(crm.keys) == 1


def test_one_destination_that_refuses_leaves_the_others_alone(
    shop: Marketing,
    crm: Receiver,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    crm.answers = [401]
    done = run(send=True)
    assert states(done) == ALL_SUCCEEDED | {"export[0]": "failed"}
    assert {t.task_id: t.try_number for t in done.get_task_instances() if t.map_index == 0} == {"export": 1}
    assert "destination crm refused a batch: it answered 401" in capsys.readouterr().out + caplog.text
    assert len(shop.log(where="destination = 'files' and sent_at is not null")) == len(shop.treated())
    assert states(run(send=True)) == ALL_SUCCEEDED
    assert crm.keys[0] == crm.keys[1]


def test_a_destination_that_is_down_is_tried_again_by_airflow(
    shop: Marketing, crm: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTATION_ACTIVATION__ATTEMPTS", "1")
    crm.answers = [503]
    done = run(send=True, retries=1)
    assert states(done) == ALL_SUCCEEDED
    assert len(crm.keys) == 2
    assert len(set(crm.keys)) == 1


def test_without_destinations_there_is_nothing_to_do(shop: Marketing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTATION_ACTIVATION__DESTINATIONS", "")
    done = run(send=True)
    assert str(done.state) == "success"
    assert states(done) == {"list_destinations[-1]": "success", "export[-1]": "skipped"}


def test_the_nights_event_starts_an_export_of_that_day(shop: Marketing) -> None:
    from airflow.assets.manager import asset_manager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.asset import AssetPartitionDagRun
    from airflow.utils.session import create_session

    from segmentation_airflow.assets import CUSTOMER_SEGMENTS

    folder = os.environ["AIRFLOW__CORE__DAGS_FOLDER"]
    sync_bag_to_db(DagBag(folder), "dags-folder", None)
    with create_session() as session:
        asset_manager.register_asset_change(asset=CUSTOMER_SEGMENTS, partition_key="2026-03-01", session=session)
        session.flush()
        waiting = session.query(AssetPartitionDagRun).all()
        assert [(run.target_dag_id, run.partition_key) for run in waiting] == [("audience_export", "2026-03-01")]
        session.rollback()
