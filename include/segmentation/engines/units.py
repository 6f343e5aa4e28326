"""Units of work, one per bucket of customers, run by the engine that the settings name."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from segmentation.config import Settings

logger = logging.getLogger(__name__)

Told = TypeVar("Told")
Unit = TypeVar("Unit", int, str)

#: Opens what the units of one process share (a database, a model) and yields what does one unit and returns how many
#: customers it was about. It is a function of a module, so that other processes find it; what it makes, it writes.
Work: TypeAlias = Callable[[Settings, Told], AbstractContextManager[Callable[[Unit], int]]]

#: Lines about progress, at most.
_LINES = 10


def run_units(
    settings: Settings,
    step: str,
    work: Work[Told, Unit],
    told: Told,
    units: Sequence[Unit],
    threads: int,
    at_once: int = 1,
) -> list[int]:
    """Do units of work with the engine that the settings name.

    Parameters
    ----------
    settings : Settings
        All settings; Spark's workers get `Settings.for_workers` of them.
    step : str
        What to call the work in logs and errors.
    work : Work
        A function of a module. The same unit done twice writes the same files.
    told : object
        What the work is about; small, and without secrets.
    units : sequence
        What to do.
    threads : int
        Threads that one unit uses.
    at_once : int
        Units that the engine `duckdb` may do at once, in threads: more than one where what the work yields stands it.

    Returns
    -------
    list of int
        Customers of each unit, in the order of ``units``.

    Raises
    ------
    SegmentationError
        What the work raises, whichever the engine.
    SparkMissing, SparkUnreachable, SparkFailed
        If the engine is Spark and cannot be used, or if the work on it ended in another error.
    """
    progress = Progress(step, len(units))
    if settings.engine == "spark":
        from segmentation.engines.spark import run_on_spark

        return run_on_spark(settings, work, told, units, threads, progress)
    from segmentation.engines.local import run_here

    return run_here(settings, work, told, units, at_once, progress)


@dataclass
class Progress:
    """Tells the log how far a step is, in ten lines at most.

    Attributes
    ----------
    step : str
        Name of the step.
    units : int
        Units in all.
    done : int
        Units done when it was last asked.
    """

    step: str
    units: int
    done: int = 0

    def reached(self, done: int) -> None:
        """Take note that so many units are done."""
        every = math.ceil(self.units / _LINES) or 1
        if done // every > self.done // every or self.done < done == self.units:
            logger.info("%s: %d of %d buckets", self.step, done, self.units)
        self.done = done
