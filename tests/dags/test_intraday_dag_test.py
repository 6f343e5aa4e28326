"""Labels within the day as Airflow runs them: last night, an order of today, a fresh label; or a reason why not."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from tests.dags.airflow_state import end_nights

from segmentation.catalog import EXTRACT_ROLE, INTRADAY_DAG, PUBLISH_ROLE
from segmentation.config import Settings, settings
from segmentation.demo.postgres import Server
from segmentation.demo.simulator import load_simulated
from segmentation.night import run_night

pytestmark = pytest.mark.timeout(900)

QUICK = {
    "FEATURES__TRAINING_CUTOFFS": "1",
    "ENCODER__COLD_EPOCHS": "1",
    "CLUSTERS__K_MAX": "4",
    "CLUSTERS__BOOTSTRAPS": "2",
    "TIMEZONE": "UTC",
}


@pytest.fixture
def shop(
    make_settings: Callable[..., Settings],
    server: Server,
    warehouse: Engine,
    warehouse_database: str,
    airflow_database: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Engine]:
    """Publish the night of yesterday, by the machine's clock, and return the shop's owner."""
    end_nights()
    make_settings()
    for name, value in {"HOME": str(tmp_path / "home"), **QUICK}.items():
        monkeypatch.setenv(f"SEGMENTATION_{name}", value)
    now, database = datetime.now(UTC), "shop_of_today"
    yesterday = now.date() - timedelta(days=1)
    load_simulated(
        server, 1500, first_day=yesterday - timedelta(days=120), last_day=yesterday, timezone="UTC", database=database
    )
    urls = server.url(database, EXTRACT_ROLE), server.url(warehouse_database, PUBLISH_ROLE)
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_SOURCE", urls[0])
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_WAREHOUSE", urls[1])
    settings.cache_clear()
    assert run_night(settings(), yesterday, *urls, now=now).published
    admin = server.engine(database)
    yield admin
    admin.dispose()
    server.drop_database(database)
    settings.cache_clear()


def run() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    settings.cache_clear()
    return DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[INTRADAY_DAG].test(logical_date=None)


def states(done: Any) -> dict[str, str]:
    return {task.task_id: str(task.state) for task in done.get_task_instances()}


def test_an_order_of_today_is_in_the_label_and_without_a_night_the_run_says_why(
    shop: Engine, warehouse: Engine, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with shop.begin() as connection:
        connection.execute(
            text(
                "insert into shop.orders select 9000000, 11, now(), 'completed', min(currency), 75, 0, null, now() "
                "from shop.orders"
            )
        )
    assert states(run()) == {"bring_forward": "success"}
    query = (
        "select source, as_of_time > now() - interval '1 hour' from marts.customer_segments where customer_id = '11'"
    )
    with warehouse.begin() as connection:
        assert tuple(connection.execute(text(query)).one()) == ("intraday", True)
        connection.execute(text("delete from ops.runs"))
    caplog.clear()
    assert states(run()) == {"bring_forward": "skipped"}
    assert "no night has been published yet" in caplog.text + "".join(capfd.readouterr())
