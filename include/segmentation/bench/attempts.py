"""One attempt at one task of a night, in a process of its own, and what can strike it."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, text

from segmentation.catalog import EXTRACT_ROLE, FIRST_TASK, PUBLISH_ROLE
from segmentation.connections import engine_for
from segmentation.demo import postgres
from segmentation.errors import Retryable, SegmentationError
from segmentation.night import STEPS, Asked, Handed, do_step

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: The first task of a night enters the run in the ledger and looks at the source; the others are the steps.
TASKS = (FIRST_TASK, *STEPS)
KILL, DROP, FULL, RESTART = "SIGKILL", "connection terminated", "disk full", "Postgres restarted"
#: Which tasks hold a connection long enough to lose it, and which write files.
STRUCK = {
    KILL: TASKS,
    DROP: (FIRST_TASK, "extract", "validate", "encode", "evaluate", "publish"),
    FULL: ("extract", "validate", "features", "encode", "cluster"),
    RESTART: TASKS,
}
#: Seconds after which an attempt counts as stuck.
LONGEST_S = 300.0
#: Free bytes, at most, that a full disk has left when a task begins.
_LEFT_FREE = 400_000
_POLL_S = 0.001
_TERMINATE = text(
    "select pg_terminate_backend(pid) from pg_stat_activity where usename in (:extract, :publish) and state <> 'idle'"
)
#: Imported once, in the process that all attempts are forked from; a night that trains a network needs more.
LIGHT = (
    "segmentation.bench.attempts",
    "segmentation.clusters.recluster",
    "segmentation.encoder.encode_day",
    "segmentation.evaluate.evaluate_day",
    "segmentation.extract.extract_day",
    "segmentation.extract.freshness",
    "segmentation.features.build_features",
    "segmentation.pages.night_report",
    "segmentation.validate.validate_day",
    "adbc_driver_postgresql.dbapi",
    "great_expectations.expectations",
    "duckdb",
    "sklearn.metrics",
)


@dataclass
class Attempt:
    """How an attempt ended.

    Attributes
    ----------
    end : 'done', 'killed' or 'failed'
    seconds : from its beginning to its end
    handed : what the task and those before it hand on; only of one that is done
    error, message : class and text of what it raised
    is_named, is_retryable : whether that is one of the product's own errors, and one that a later attempt can mend
    felt : whether the fault struck before the end
    """

    end: str
    seconds: float = 0.0
    handed: Handed | None = None
    error: str = ""
    message: str = ""
    is_named: bool = False
    is_retryable: bool = False
    felt: bool = False


@dataclass
class Place:
    """Where nights run: their server, the small disk under their home folder, and what each process has imported."""

    data_dir: Path
    home: Path
    admin: Engine
    warehouse_url: str
    log: Path
    preloaded: Sequence[str] = (*LIGHT, "keras", "tensorflow")
    context: multiprocessing.context.ForkServerContext = field(
        default_factory=lambda: multiprocessing.get_context("forkserver")
    )

    def __post_init__(self) -> None:
        self.context.set_forkserver_preload(list(self.preloaded))

    def attempt(self, task: str, asked: Asked, handed: Handed) -> Attempt:
        """Try a task undisturbed."""
        return self._watched(task, asked, handed, lambda _ways, _process: False)

    def strike(self, kind: str, after_s: float, task: str, asked: Asked, handed: Handed) -> Attempt:
        """Try a task and let a fault strike it.

        Parameters
        ----------
        kind : one of the keys of `STRUCK`
        after_s : seconds after the task's beginning; for a full disk that share of `_LEFT_FREE` bytes instead
        task, asked, handed : as for `segmentation.night.do_step`
        """
        if kind == FULL:
            with _full_disk(self.home, int(_LEFT_FREE * min(after_s, 1.0))):
                tried = self.attempt(task, asked, handed)
            tried.felt = tried.end == "failed"
            return tried
        blow = {KILL: _kill, DROP: self._drop, RESTART: self._restart}[kind]
        return self._watched(task, asked, handed, lambda ways, process: blow(ways, process, after_s))

    def _watched(
        self,
        task: str,
        asked: Asked,
        handed: Handed,
        blow: Callable[[Connection, multiprocessing.process.BaseProcess], bool],
    ) -> Attempt:
        here, there = self.context.Pipe()
        process = self.context.Process(
            target=_attempt, args=(task, asked, self.warehouse_url, handed, there, self.log), daemon=True
        )
        process.start()
        there.close()
        here.recv()
        began = time.monotonic()
        felt = blow(here, process)
        try:
            if not here.poll(LONGEST_S):
                process.kill()
                return Attempt("failed", LONGEST_S, error="stuck", felt=felt)
            ended: Attempt = here.recv()
        except EOFError:
            ended = Attempt("killed")
        process.join()
        ended.seconds, ended.felt = time.monotonic() - began, felt
        return ended

    def _drop(self, ways: Connection, _process: object, after_s: float) -> bool:
        if ways.poll(after_s):
            return False
        # in one transaction, a look at who is connected would say the same for ever
        with self.admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not ways.poll(_POLL_S):
                if connection.scalars(_TERMINATE, {"extract": EXTRACT_ROLE, "publish": PUBLISH_ROLE}).all():
                    return True
        return False

    def _restart(self, ways: Connection, _process: object, after_s: float) -> bool:
        if ways.poll(after_s):
            return False
        self.admin.dispose()
        postgres.stop(self.data_dir, mode="immediate")
        postgres.start(self.data_dir)
        return True


def _kill(ways: Connection, process: multiprocessing.process.BaseProcess, after_s: float) -> bool:
    if ways.poll(after_s):
        return False
    process.kill()
    return True


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[None]:
    """Mount a RAM disk of a size on ``folder``; for this the process has to be root.

    Raises
    ------
    OSError
        If the system does not allow it.
    """
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, f"size={size_mb}m".encode()) != 0:
        raise OSError(ctypes.get_errno(), "cannot mount a small disk", str(folder))
    try:
        yield
    finally:
        library.umount2(bytes(folder), 2)


@contextmanager
def _full_disk(folder: Path, free: int) -> Iterator[None]:
    ballast = folder.parent / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(shutil.disk_usage(folder).free - free, 1))
    try:
        yield
    finally:
        ballast.unlink()


def _attempt(task: str, asked: Asked, warehouse_url: str, handed: Handed, ways: Connection, log: Path) -> None:
    """Do the task in this process and send how it ended."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with log.open("a") as written:
        os.dup2(written.fileno(), sys.stdout.fileno())
        os.dup2(written.fileno(), sys.stderr.fileno())
    logging.basicConfig(level=logging.INFO, force=True, stream=sys.stderr)
    warehouse = engine_for(warehouse_url)
    ways.send("began")
    try:
        if task == FIRST_TASK:
            _begin(asked, warehouse)
        else:
            do_step(task, asked, warehouse, handed)
        ended = Attempt("done", handed=handed)
    except Exception as error:
        logging.getLogger(__name__).warning("%s failed", task, exc_info=True)
        named, retryable = isinstance(error, SegmentationError), isinstance(error, Retryable)
        ended = Attempt("failed", 0.0, None, type(error).__name__, str(error), named, retryable)
    with contextlib.suppress(BrokenPipeError):
        ways.send(ended)


def _begin(asked: Asked, warehouse: Engine) -> None:
    from segmentation.extract.freshness import assess_freshness
    from segmentation.runs import start_run

    start_run(warehouse, asked.run_id, asked.day, asked.now)
    assess_freshness(asked.settings, asked.day, asked.source_url, asked.now)
