"""Housekeeping as Airflow runs it: a dry run unless the form says otherwise."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from segmentation.catalog import HOUSEKEEPING_DAG, PUBLISH_ROLE
from segmentation.config import Settings, settings
from segmentation.demo.postgres import Server


@pytest.fixture
def old_file(
    make_settings: Callable[..., Settings],
    server: Server,
    warehouse: Engine,
    warehouse_database: str,
    airflow_database: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    make_settings()
    monkeypatch.setenv("SEGMENTATION_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_WAREHOUSE", server.url(warehouse_database, PUBLISH_ROLE))
    with warehouse.begin() as connection:
        connection.execute(
            text(
                "insert into ops.runs (run_id, business_day, status, started_at) "
                "values ('r', '2026-06-30', 'published', '2026-07-01')"
            )
        )
    file = tmp_path / "home" / "lake" / "features" / "day=2026-01-01" / "no_order.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"old")
    os.utime(file.parent, (0, 0))
    yield file
    settings.cache_clear()


def run(**form: Any) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    settings.cache_clear()
    dag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[HOUSEKEEPING_DAG]
    return dag.test(logical_date=None, run_conf=form)


def test_a_dry_run_tells_and_the_form_removes(old_file: Path, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    assert str(run().state) == "success"
    told = caplog.text + "".join(capfd.readouterr())
    assert f"would remove {old_file.parent}" in told
    assert old_file.exists()
    assert str(run(remove=True).state) == "success"
    assert not old_file.exists()
