"""Nothing personal and no secret in anything that a night leaves: values planted in the shop are looked for everywhere.

Keys, sessions, countries and coupons are tagged personal here, so that not even they may be found.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, select, text

from segmentation.catalog import NIGHTLY_DAG, PUBLISH_ROLE
from segmentation.config import Settings, settings
from segmentation.demo.postgres import Server
from segmentation.warehouse import metadata

if TYPE_CHECKING:
    from conftest import SmallShop

KEY = "the-privacy-key-of-this-test-0123456789"
#: What is planted; each is told from all other text.
CANARIES = (
    "canarymail", "canaryphone", "canaryproperty", "canarycustomer", "canarysession", "canarycountry", "canarycoupon",
    "canarytype",
)  # fmt: skip
PLANT = """
alter table shop.customers add column phone text;
update shop.customers set email = 'canarymail' || customer_id || '@example.org', phone = 'canaryphone' || customer_id,
    country = 'canarycountry' || mod(customer_id, 3);
update shop.orders set coupon_code = 'canarycoupon' || mod(order_id, 5);
update shop.events set session_id = 'canarysession' || session_id,
    properties = coalesce(properties, '{}'::jsonb) || '{"note": "canaryproperty"}'::jsonb;
-- rows that are set aside: what is said about them may not name them
update shop.events set event_type = 'canarytype of@example.org' where mod(event_id, 5000) = 0;
update shop.orders set total_amount = -1 where mod(order_id, 400) = 0;
"""
MAPPING = """
customers:
  columns:
    customer_id: {expression: "'canarycustomer-' || customer_id", personal: true}
    country: {column: country, personal: true}
orders:
  columns:
    customer_id: {expression: "'canarycustomer-' || customer_id"}
    coupon_code: {column: coupon_code, personal: true}
events:
  columns:
    customer_id: {expression: "'canarycustomer-' || customer_id"}
    session_id: {column: session_id, personal: true}
"""
QUICK = {
    "SEGMENTATION_FEATURES__TRAINING_CUTOFFS": "1",
    "SEGMENTATION_ENCODER__COLD_EPOCHS": "1",
    "SEGMENTATION_CLUSTERS__K_MAX": "4",
    "SEGMENTATION_CLUSTERS__BOOTSTRAPS": "2",
}


@pytest.fixture
def home(
    make_settings: Callable[..., Settings],
    small_shop: "SmallShop",
    server: Server,
    warehouse: Engine,
    warehouse_database: str,
    airflow_database: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    make_settings()
    with small_shop.admin.begin() as owner:
        owner.execute(text(PLANT))
    mapping = tmp_path / "mapping.yml"
    mapping.write_text(MAPPING)
    for name, value in {
        "SEGMENTATION_HOME": str(tmp_path / "home"),
        "SEGMENTATION_TIMEZONE": small_shop.timezone,
        "SEGMENTATION_EXTRACT__MAPPING": str(mapping),
        "SEGMENTATION_PRIVACY__KEY": KEY,
        "AIRFLOW_CONN_SEGMENTATION_SOURCE": small_shop.url,
        "AIRFLOW_CONN_SEGMENTATION_WAREHOUSE": server.url(warehouse_database, PUBLISH_ROLE),
        **QUICK,
    }.items():
        monkeypatch.setenv(name, value)
    yield tmp_path / "home"
    settings.cache_clear()


def run(day: Any) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    settings.cache_clear()
    dag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[NIGHTLY_DAG]
    # dag.test() cannot end a run that has a deadline: it takes the serialised alert for an id
    dag.deadline = None
    return dag.test(logical_date=None, run_conf={"business_day": day.isoformat()})


def found_in(words: list[str], content: str | bytes) -> list[str]:
    if isinstance(content, bytes):
        return [word for word in words if word.encode() in content]
    return [word for word in words if word in content]


def leaks(words: list[str], home: Path, warehouse: Engine) -> dict[str, list[str]]:
    """Return place -> planted words, over the files of the home, the warehouse, and Airflow's database and logs."""
    places: dict[str, list[str]] = {}
    for file in (*home.rglob("*"), *Path(os.environ["AIRFLOW_HOME"]).rglob("*")):
        if not file.is_file() or file.name.startswith("simple_auth_manager_passwords"):
            continue
        found = found_in(words, file.read_bytes())
        if file.suffix == ".parquet":
            # bytes in parquet are compressed
            table = pq.ParquetFile(file).read()
            for name in table.column_names:
                if not pa.types.is_floating(table[name].type):
                    found += found_in(words, str(table[name].to_pylist()))
        if found:
            places[str(file)] = found
    with warehouse.connect() as connection:
        for table in metadata.sorted_tables:
            if found := found_in(words, str(connection.execute(select(table)).all())):
                places[table.fullname] = found
    return places


@pytest.mark.timeout(400)
def test_a_night_leaves_nothing_personal_and_no_secret_anywhere(
    home: Path,
    small_shop: "SmallShop",
    server: Server,
    warehouse: Engine,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    words = [*CANARIES, KEY, *server.passwords.values()]
    done = run(small_shop.last_day)
    assert {str(task.state) for task in done.get_task_instances()} == {"success"}
    with warehouse.connect() as connection:
        customers = list(connection.scalars(text("select customer_id from marts.customer_segments")))
        set_aside = connection.execute(text("select sum(rows) from ops.quarantine")).scalar_one()
    assert len(customers) > 300
    assert all(re.fullmatch("[0-9a-f]{32}", customer) for customer in customers)
    assert set_aside > 0
    assert list(home.rglob("weights.npz"))
    assert list(home.glob("data_docs/**/*.html"))

    places = leaks(words, home, warehouse)
    # set aside rows are kept as they came, for the engineer who has to look at them
    kept_rows = [place for place in places if "/lake/raw/events/" in place or "/lake/quarantine/events/" in place]
    assert {place: found for place, found in places.items() if place not in kept_rows} == {}
    assert {word for place in kept_rows for word in places[place]} == {"canarytype"}
    told = "".join(capfd.readouterr()) + caplog.text
    assert "ValidateResult" in told
    assert found_in(words, told) == []


def test_a_value_that_cannot_be_read_is_not_quoted(
    home: Path,
    small_shop: "SmallShop",
    warehouse: Engine,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    mapping = Path(os.environ["SEGMENTATION_EXTRACT__MAPPING"])
    mapping.write_text(MAPPING + '    channel: {expression: "session_id::bigint"}\n')
    run(small_shop.last_day - timedelta(days=1))
    with warehouse.connect() as connection:
        message = connection.scalar(text("select message from ops.runs"))
    assert "a value of events cannot be read as the mapping file says: invalid input syntax for type bigint" in message
    assert found_in(list(CANARIES), "".join(capfd.readouterr()) + caplog.text + json.dumps(message)) == []
    assert leaks(list(CANARIES), home, warehouse) == {}
