"""A shop that outgrows its machine changes one setting, and nobody may notice: Spark writes the files of DuckDB."""

from __future__ import annotations

import hashlib
import logging
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from segmentation.calendar import shop_timezone
from segmentation.catalog import CHECKED, FEATURES, OUTLOOK, WINDOWS
from segmentation.config import Settings
from segmentation.demo.simulator import simulate
from segmentation.encoder.encode_day import encode_day
from segmentation.engines.spark import find_java
from segmentation.engines.units import Progress, run_units
from segmentation.errors import InvalidSetting, LakeFull, SparkFailed, SparkMissing, SparkUnreachable
from segmentation.features.build_features import build_features

FIRST_DAY, DAY = date(2025, 1, 1), date(2025, 4, 30)
TIMEZONE, BUCKETS = "Europe/Berlin", 3
KEY = "a-key-that-no-other-machine-may-see-0123456789"
LOGIN = "postgresql://segmentation_publish:never-told@localhost/warehouse"
#: Work that goes wrong in ways which real work cannot be made to; the executors find it on their path.
WORK = '''
import os, signal
from contextlib import contextmanager
from pathlib import Path

from segmentation.errors import LakeFull


@contextmanager
def failing(settings, told):
    def do(unit):
        if told == "full" and unit == "b":
            raise LakeFull(Path("/srv/lake"), 12)
        if told == "fault" and unit == "b":
            raise ValueError("no such column")
        return len(unit)
    yield do


@contextmanager
def killed_once(settings, folder):
    def do(unit):
        mark = Path(folder) / unit
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return len(unit)
    yield do


@contextmanager
def asked_what_it_knows(settings, secrets):
    """Counts the secrets (told the wrong way round) in the environment of this process and of those that started it."""
    def do(unit):
        known, process = str(settings.model_dump()).encode(), os.getpid()
        while process > 1:
            known += Path(f"/proc/{process}/environ").read_bytes()
            if b"/java" in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\\0")[0]:
                return sum(secret[::-1].encode() in known for secret in secrets)
            process = int(Path(f"/proc/{process}/stat").read_text().rsplit(")")[-1].split()[1])
        raise ValueError("no Java started this")
    yield do
'''


@pytest.fixture(scope="module")
def java() -> str:
    try:
        return str(find_java())
    except SparkMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module", autouse=True)
def secrets() -> Iterator[list[str]]:
    """Set what Airflow gives to a task in its environment, before this process has started anything of Spark."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SEGMENTATION_PRIVACY__KEY", KEY)
        environment.setenv("AIRFLOW_CONN_SEGMENTATION_WAREHOUSE", LOGIN)
        yield [KEY, LOGIN]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Write and import the module `WORK`."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "spark_test_work.py").write_text(WORK)
    with pytest.MonkeyPatch.context() as path:
        path.syspath_prepend(str(folder))
        import spark_test_work

        yield spark_test_work


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a lake with the checked rows of four months of 200 customers."""
    home = tmp_path_factory.mktemp("checked")
    lake = settings_at(home).lake
    shop = simulate(200, first_day=FIRST_DAY, last_day=DAY, timezone=TIMEZONE)
    tables = dict(shop.tables)
    orders = tables["orders"]
    tables["order_items"] = tables["order_items"].merge(orders[["order_id", "ordered_at"]], on="order_id")
    times = {"orders": "ordered_at", "order_items": "ordered_at", "events": "occurred_at"}
    for name, rows in tables.items():
        local = rows[times[name]].dt.tz_convert(shop_timezone(TIMEZONE)).dt.date if name in times else None
        plain = rows.assign(**{column: rows[column].astype(object) for column in rows.select_dtypes("category")})
        schema = pa.Schema.from_pandas(plain, preserve_index=False)
        for day, part in plain.groupby(local) if local is not None else [(DAY, plain)]:
            table = pa.Table.from_pandas(part, schema, preserve_index=False)
            lake.write_table(table, lake.rows_file(CHECKED, name, day))
    return home


@pytest.fixture(scope="module")
def on_duckdb(checked: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Run the night of the last day by the engine that every shop begins with."""
    home = tmp_path_factory.mktemp("duckdb") / "home"
    shutil.copytree(checked, home)
    night_of(settings_at(home))
    return settings_at(home)


def settings_at(home: Path, **changes: Any) -> Settings:
    return Settings(
        **{
            "home": home,
            "timezone": TIMEZONE,
            "features": {"buckets": BUCKETS, "training_cutoffs": 2, "threads": 1},
            "encoder": {"cold_epochs": 1, "minimum_customers": 50},
            "privacy": {"key": KEY},
        }
        | changes
    )


def night_of(settings: Settings) -> None:
    build_features(settings, DAY, warm=False)
    encode_day(settings, DAY, None, None, "run")


def digests(settings: Settings) -> dict[str, str]:
    root = settings.lake.root
    files = [path for name in (FEATURES, WINDOWS, OUTLOOK) for path in (root / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def on_spark(home: Path, master: str = "local[2]", wait_s: int = 120, **conf: str) -> Settings:
    # the folder of the module `work`, wherever it is
    path = ":".join(entry for entry in sys.path if Path(entry, "spark_test_work.py").exists())
    conf = {"spark.executorEnv.PYTHONPATH": path, "spark.executor.memory": "512m"} | conf
    return settings_at(home, engine="spark", spark={"master": master, "wait_s": wait_s, "conf": conf})


@contextmanager
def spark_process(log: Path, ready: str, *arguments: str) -> Iterator[None]:
    """Run one of Spark's own programs inside the block, which begins when its log says ``ready``."""
    programs = Path(sys.executable).parent
    path = {"PATH": f"{programs}:/usr/bin:/bin"}
    with log.open("w") as output:
        process = subprocess.Popen([programs / "spark-class", *arguments], stdout=output, stderr=output, env=path)
        try:
            ends = time.monotonic() + 60
            while ready not in log.read_text():
                assert process.poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < ends, log.read_text()[-2000:]
                time.sleep(0.2)
            yield
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def master(java: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a standalone master without workers, in a process of its own."""
    log, port = tmp_path_factory.mktemp("master") / "log", free_port()
    where = ("--host", "127.0.0.1", "--port", str(port), "--webui-port", "0")
    with spark_process(log, "New state: ALIVE", "org.apache.spark.deploy.master.Master", *where):
        yield f"spark://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def cluster(master: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Start a worker of two cores; with the master's URL comes the folder in which the worker's processes leave all."""
    folder = tmp_path_factory.mktemp("worker")
    where = ("--host", "127.0.0.1", "--webui-port", "0", "--cores", "2", "--memory", "1g", "--work-dir", str(folder))
    ready = "Successfully registered with master"
    with spark_process(folder / "log", ready, "org.apache.spark.deploy.worker.Worker", *where, master):
        yield master, folder


def test_two_cores_give_the_bytes_of_one_process(
    checked: Path, on_duckdb: Settings, java: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(checked, tmp_path / "home")
    settings = on_spark(tmp_path / "home")
    caplog.set_level(logging.INFO)
    night_of(settings)
    found = digests(settings)
    # features, windows and outlook: labels are made from these files, by the same code in the same process
    assert sum(name.endswith("timeline.parquet") for name in found) == 3 * BUCKETS
    assert {"outlook.parquet", "matured.parquet"} <= {Path(name).name for name in found}
    assert found == digests(on_duckdb)
    assert f"features: {BUCKETS} of {BUCKETS} buckets" in caplog.messages
    assert f"encode: {2 * BUCKETS} of {2 * BUCKETS} buckets" in caplog.messages
    assert not list((settings.lake.root / "tmp").iterdir())


def test_a_master_without_workers_is_told_before_the_night_is_over(master: str, tmp_path: Path, work: Any) -> None:
    with pytest.raises(
        SparkUnreachable, match=r"spark://127.*no core to work on in 2 s.*Check that master and workers"
    ):
        run_units(on_spark(tmp_path, master, wait_s=2), "features", work.failing, "", ["a"], 1)


def test_a_cluster_of_other_processes_gives_the_same_bytes_and_learns_no_secret(
    checked: Path, on_duckdb: Settings, cluster: tuple[str, Path], secrets: list[str], tmp_path: Path
) -> None:
    master, left = cluster
    shutil.copytree(checked, tmp_path / "home")
    (tmp_path / "events").mkdir()
    # the log of events holds all that Spark's pages show
    shown = {"enabled": "true", "compress": "false", "dir": f"file://{tmp_path / 'events'}"}
    settings = on_spark(tmp_path / "home", master, **{f"spark.eventLog.{name}": value for name, value in shown.items()})
    night_of(settings)
    assert digests(settings) == digests(on_duckdb)
    told = [path.read_bytes() for folder in (left, tmp_path / "events") for path in folder.rglob("*") if path.is_file()]
    assert any(b"SparkListenerTaskEnd" in text for text in told)
    for secret in secrets:
        assert not [text for text in told if secret.encode() in text]


def test_a_worker_that_dies_is_replaced(cluster: tuple[str, Path], tmp_path: Path, work: Any) -> None:
    settings = on_spark(tmp_path, cluster[0])
    assert run_units(settings, "features", work.killed_once, str(tmp_path), ["a", "bcd"], 1) == [1, 3]
    assert (tmp_path / "a").exists()


def test_no_process_of_spark_knows_a_secret(java: str, tmp_path: Path, work: Any, secrets: list[str]) -> None:
    reversed_secrets = [secret[::-1] for secret in secrets]
    found = run_units(on_spark(tmp_path), "features", work.asked_what_it_knows, reversed_secrets, ["a", "b"], 1)
    assert found == [0, 0]


def test_an_error_with_a_name_keeps_it(java: str, tmp_path: Path, work: Any) -> None:
    for engine in (on_spark(tmp_path), settings_at(tmp_path)):
        with pytest.raises(LakeFull) as found:
            run_units(engine, "features", work.failing, "full", ["a", "b", "c"], 1)
        assert str(found.value) == str(LakeFull(Path("/srv/lake"), 12))


def test_any_other_error_tells_in_one_line_what_happened(java: str, tmp_path: Path, work: Any) -> None:
    with pytest.raises(SparkFailed, match=r"^the step features failed on Spark: ValueError: no such column\. Files"):
        run_units(on_spark(tmp_path), "features", work.failing, "fault", ["a", "b"], 1)


def test_a_unit_of_more_threads_than_cores_is_told(java: str, tmp_path: Path, work: Any) -> None:
    with pytest.raises(SparkUnreachable, match="as many cores free as a bucket takes threads"):
        run_units(on_spark(tmp_path, "local[1]", wait_s=2), "features", work.failing, "", ["a"], 2)


def test_a_master_that_does_not_listen_is_told_at_once(java: str, tmp_path: Path, work: Any) -> None:
    port, began = free_port(), time.monotonic()
    with pytest.raises(SparkUnreachable, match=f"127.0.0.1:{port}.*refused"):
        run_units(on_spark(tmp_path, f"spark://127.0.0.1:{port}"), "features", work.failing, "", ["a"], 1)
    assert time.monotonic() - began < 10


def test_what_is_missing_is_named_with_its_remedy(tmp_path: Path, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> None:
        run_units(on_spark(tmp_path), "features", work.failing, "", ["a"], 1)

    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SparkMissing, match=r"JAVA_HOME is .*Install Java 17 or 21.*SEGMENTATION_ENGINE=duckdb"):
        run()
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.touch(0o755)
    for version in ("11.0.2", "25.0.1"):
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-10-21' >&2\n")
        with pytest.raises(SparkMissing, match=rf"is Java {version[:2]}.*Install Java 17 or 21"):
            run()
    java.write_text("#!/bin/sh\necho 'openjdk version \"17.0.15\" 2025-04-15' >&2\n")
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(SparkMissing, match=r"pyspark is not installed.*requirements.txt"):
        run()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SparkMissing, match="Java is not installed"):
        run()


def test_a_home_that_other_machines_cannot_find_is_refused(work: Any) -> None:
    with pytest.raises(InvalidSetting, match=r"SEGMENTATION_HOME is 'here'.*absolute path"):
        run_units(on_spark(Path("here")), "features", work.failing, "", ["a"], 1)


def test_a_lake_in_a_bucket_is_refused(tmp_path: Path, work: Any) -> None:
    in_bucket = on_spark(tmp_path).model_copy(update={"lake_url": "s3://shop/lake"})
    with pytest.raises(InvalidSetting, match=r"SEGMENTATION_ENGINE is 'spark'.*use duckdb"):
        run_units(in_bucket, "features", work.failing, "", ["a"], 1)


def test_progress_is_told_in_ten_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    progress = Progress("features", 4096)
    for done in range(0, 4097, 64):
        progress.reached(done)
    progress.reached(4096)
    assert len(caplog.messages) == 10
    assert caplog.messages[-1] == "features: 4096 of 4096 buckets"
