"""The engine `duckdb`: the units in this process, one after the other or a few at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from segmentation.config import Settings
from segmentation.engines.units import Progress, Told, Unit, Work


def run_here(
    settings: Settings, work: Work[Told, Unit], told: Told, units: Sequence[Unit], at_once: int, progress: Progress
) -> list[int]:
    """Do units of work in this process; see `units.run_units`."""
    counts = []
    with work(settings, told) as do, ThreadPoolExecutor(at_once) as pool:
        # the main thread is the one that a signal ends at once
        done = map(do, units) if at_once == 1 else pool.map(do, units)
        try:
            for number, count in enumerate(done, start=1):
                counts.append(count)
                progress.reached(number)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return counts
