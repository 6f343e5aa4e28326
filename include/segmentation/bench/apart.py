"""A piece of work in a process of its own, as each task of a night is, and what it cost."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Cost:
    """What a piece of work took.

    Attributes
    ----------
    seconds
        Wall time, imports included, the start of the process not.
    cpu
        Seconds of processor time, all threads together: says more than wall time where other work runs beside it.
    peak
        Most memory resident at a time in its process, bytes.
    read, written
        Bytes of files read and written, whether from disk or from memory; not what goes through a connection.
    """

    seconds: float
    cpu: float
    peak: int
    read: int
    written: int


def work_apart(work: Callable[..., Result], *told: Any) -> tuple[Result, Cost]:
    """Do some work in a new process, and return its result and its cost.

    Parameters
    ----------
    work : callable
        A function of a module; what it is told and what it returns can be pickled.
    *told
        Arguments of the work.

    Raises
    ------
    Exception
        What the work raises.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, work, told).result()


def _measure(work: Callable[..., Result], told: tuple[Any, ...]) -> tuple[Result, Cost]:
    read, written = _file_bytes()
    began, busy = time.perf_counter(), time.process_time()
    result = work(*told)
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    read_until, written_until = _file_bytes()
    return result, Cost(seconds, cpu, _peak(), read_until - read, written_until - written)


def _file_bytes() -> tuple[int, int]:
    """Return the bytes that this process has asked to read and to write so far; zeros where there is no /proc."""
    counted = _proc("io")
    return int(counted.get("rchar", "0")), int(counted.get("wchar", "0"))


def _peak() -> int:
    # not getrusage: a new program inherits the peak of the process that it was forked from
    return int(_proc("status").get("VmHWM", "0 kB").removesuffix(" kB")) * 1024


def _proc(name: str) -> dict[str, str]:
    file = Path("/proc/self") / name
    lines = file.read_text().splitlines() if file.exists() else []
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
