"""The engine `duckdb`: one unit after the other in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segmentation.config import Settings
from segmentation.engines.units import Progress, Told, Unit, Work


def run_here(
    settings: Settings, work: Work[Told, Unit], told: Told, units: Sequence[Unit], progress: Progress
) -> list[int]:
    """Do units of work in this process; see `units.run_units`."""
    with work(settings, told) as do:

        def counts() -> Iterator[int]:
            for number, unit in enumerate(units, start=1):
                yield do(unit)
                progress.reached(number)

        return list(counts())
