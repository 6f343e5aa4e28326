"""The engine `spark`: each unit is a partition, done by the Python beside a Spark executor.

The function goes to the executors by its name, the settings without what is secret, the files not at all: every
machine sees the lake and the models at the same path.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from segmentation import errors
from segmentation.config import Settings
from segmentation.engines.units import Progress, Told, Unit, Work
from segmentation.errors import InvalidSetting, SegmentationError, SparkFailed, SparkMissing, SparkUnreachable

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

#: Oldest Java that Spark 4.0 runs on, and the first that it does not (its Hadoop asks for what 24 took away).
_JAVA, _TOO_NEW = 17, 24
_POLL_S = 0.2
#: Longest wait for a master to take up a connection: it listens, or it does not.
_KNOCK_S = 10.0
#: Without a cluster nobody else has to reach the driver.
_ON_THIS_MACHINE = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
#: Variables with these prefixes may hold logins and keys, and the cluster's processes have no use for them.
_KEPT_HERE = ("AIRFLOW", "SEGMENTATION", "_AIRFLOW")
#: One row per unit: its place, the customers it was about, or the name and the text of the error that ended it.
_RESULT = pa.schema([("place", pa.int64()), ("customers", pa.int64()), ("error", pa.string()), ("text", pa.string())])
_RESULT_SQL = "place long, customers long, error string, text string"


def run_on_spark(
    settings: Settings,
    work: Work[Told, Unit],
    told: Told,
    units: Sequence[Unit],
    threads: int,
    progress: Progress,
) -> list[int]:
    """Do units of work on the cluster; see `units.run_units`.

    Notes
    -----
    Spark does a unit again if its executor is lost (`spark.task.maxFailures`), so a unit may be done twice.
    """
    if not settings.home.is_absolute():
        remedy = "with SEGMENTATION_ENGINE=spark it has to be an absolute path that is the same on every machine."
        raise InvalidSetting("SEGMENTATION_HOME", str(settings.home), remedy)
    if settings.lake_url:
        remedy = "with SEGMENTATION_LAKE in a bucket use duckdb: Spark's machines work in one folder that all see."
        raise InvalidSetting("SEGMENTATION_ENGINE", "spark", remedy)
    on_worker = partial(_on_worker, work, settings.for_workers(), told, list(units))
    with _session(settings, progress.step, threads) as spark:

        def collect() -> list[Any]:
            numbers = spark.range(0, len(units), numPartitions=len(units))
            return numbers.mapInArrow(on_worker, _RESULT_SQL).collect()

        rows = _watched(spark.sparkContext, collect, settings, progress)
    for row in sorted(rows):
        if row.error:
            kind = getattr(errors, row.error)
            # its constructor takes facts, of which the finished text is left
            raise kind.__new__(kind, row.text)
    return [row.customers for row in sorted(rows)]


def _on_worker(
    work: Work[Told, Unit], settings: Settings, told: Told, units: list[Unit], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Do the units whose places a partition holds, in a worker's process.

    An error with a name is an answer: Spark would try in vain again, and keep nothing of it but its text.
    """
    for batch in batches:
        rows = []
        for place in batch.column(0).to_pylist():
            row = {"place": place, "customers": 0, "error": None, "text": None}
            try:
                with work(settings, told) as do:
                    row["customers"] = do(units[place])
            except SegmentationError as error:
                row |= {"error": type(error).__name__, "text": str(error)}
            rows.append(row)
        yield pa.RecordBatch.from_pylist(rows, schema=_RESULT)


@contextmanager
def _session(settings: Settings, step: str, threads: int) -> Iterator[SparkSession]:
    """Open a session on the cluster and end it after the block.

    Raises
    ------
    SparkMissing
        If pyspark or Java is not there.
    SparkUnreachable
        If the master does not answer.
    """
    java = find_java()
    try:
        from pyspark import SparkConf, SparkContext
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise SparkMissing("the package pyspark is not installed", "Install requirements.txt.") from error

    master = settings.spark.master
    _knock(master, _KNOCK_S)
    conf = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.catalogImplementation": "in-memory",
        # a core for each thread of a unit, or units that run side by side would get in each other's way
        "spark.task.cpus": str(threads),
        **(_ON_THIS_MACHINE if master.startswith("local") else {}),
        **settings.spark.conf,
        "spark.master": master,
        "spark.app.name": f"segmentation {step}",
    }
    # else it tells of every message to and from Java
    logging.getLogger("py4j").setLevel(logging.WARNING)
    began = time.perf_counter()
    try:
        with _environment(java, settings.spark.python or sys.executable):
            context = SparkContext(conf=SparkConf(loadDefaults=False).setAll(list(conf.items())))
    except Exception as error:
        raise SparkUnreachable(master, _reason(error)) from error
    logger.info("%s: Spark at %s is there after %.1f s", step, master, time.perf_counter() - began)
    try:
        yield SparkSession(context)
    finally:
        context.stop()


def find_java() -> Path:
    """Find the home of a Java that Spark can run on: `JAVA_HOME`, else the one on the path.

    Raises
    ------
    SparkMissing
        If there is none, or if it is too old or too new.
    """
    remedy = f"Install Java {_JAVA} or 21 (Debian: apt-get install default-jre-headless) and name it in JAVA_HOME."
    named = os.environ.get("JAVA_HOME")
    found = Path(named) / "bin" / "java" if named else Path(shutil.which("java") or "")
    if not found.is_file():
        where = f"JAVA_HOME is {named}, where is no bin/java" if named else "Java is not installed"
        raise SparkMissing(where, remedy)
    told = subprocess.run([str(found), "-version"], capture_output=True, text=True, check=False, timeout=60).stderr
    version = re.search(r'version "(\d+)', told)
    if version is None or not _JAVA <= int(version[1]) < _TOO_NEW:
        raise SparkMissing(f"{found} is Java {version[1] if version else 'of an unknown version'}", remedy)
    return found.resolve().parents[1]


def _knock(master: str, timeout_s: float) -> None:
    """See that one of a standalone cluster's masters listens: Spark would try for a minute, and tell it badly.

    Raises
    ------
    SparkUnreachable
        If none does.
    """
    reason = ""
    for place in master.removeprefix("spark://").split(",") if master.startswith("spark://") else []:
        host, _, port = place.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=timeout_s).close()
        except OSError as error:
            reason = f"{place}: {error}"
        else:
            return
    if reason:
        raise SparkUnreachable(master, reason)


@contextmanager
def _environment(java: Path, python: str) -> Iterator[None]:
    """Let Spark's processes, which inherit the environment, start without what they must not know."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(_KEPT_HERE):
            del os.environ[name]
    os.environ |= {"JAVA_HOME": str(java), "PYSPARK_PYTHON": python}
    try:
        yield
    finally:
        for name in ("JAVA_HOME", "PYSPARK_PYTHON"):
            os.environ.pop(name, None)
        os.environ |= before


def _watched(context: SparkContext, collect: Callable[[], list[Any]], settings: Settings, progress: Progress) -> Any:
    """Return what a job gives, tell how far it is meanwhile, and give up if it gets nothing to work on."""
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(collect)
        try:
            _watch(context, job, settings, progress)
        except BaseException:
            # given up, or the task is ended from outside: then the job has to end, too, also one only planned now
            while not wait([job], _POLL_S).done:
                # if Java is gone, so is the job
                with suppress(Exception):
                    context.cancelAllJobs()
            raise
        try:
            return job.result()
        except Exception as error:
            raise SparkFailed(progress.step, _reason(error)) from error


def _watch(context: SparkContext, job: Future[list[Any]], settings: Settings, progress: Progress) -> None:
    worked_at = time.monotonic()
    while not wait([job], _POLL_S).done:
        done, working = _tasks(context)
        if working or done > progress.done:
            worked_at = time.monotonic()
        progress.reached(done)
        if time.monotonic() - worked_at > settings.spark.wait_s:
            waited = f"it gave no core to work on in {settings.spark.wait_s} s"
            raise SparkUnreachable(settings.spark.master, waited)
    if not job.exception():
        progress.reached(progress.units)


def _tasks(context: SparkContext) -> tuple[int, int]:
    """Return how many tasks are done, and how many are at work."""
    tracker = context.statusTracker()
    jobs = [job for number in tracker.getJobIdsForGroup() if (job := tracker.getJobInfo(number))]
    stages = [stage for job in jobs for number in job.stageIds if (stage := tracker.getStageInfo(number))]
    return sum(stage.numCompletedTasks for stage in stages), sum(stage.numActiveTasks for stage in stages)


def _reason(error: Exception) -> str:
    """Return the one line of an error of Spark that says what happened; the whole is many pages of Java."""
    text = str(error)
    named = re.findall(r"^(?:: |Caused by: )?([\w.$]+(?:Error|Exception): .+)$", text, re.MULTILINE)
    python = [line for line in named if not line.startswith(("java.", "org.apache.", "py4j."))]
    told = python[-1:] or named[:1] or text.strip().splitlines()[:1] or [type(error).__name__]
    return told[0].removesuffix(".")[:300]
