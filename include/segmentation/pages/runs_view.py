"""The nights: which was published, which was held or failed, and why."""

from __future__ import annotations

from datetime import date
from typing import Any

from segmentation.errors import NotThere
from segmentation.pages.reader import Warehouse


def runs_view(warehouse: Warehouse, day: date | None) -> dict[str, Any]:
    """Read what `runs.html` shows: all newest runs, and gates and broken checks of one day (the newest by default).

    Raises
    ------
    NotThere
        If the day was never run.
    SegmentationError
        If the warehouse cannot be read.
    """
    with warehouse.reading_ops() as reading:
        runs = reading.rows("list_runs.sql")
        if not runs:
            return {"runs": [], "run": None}
        found = reading.rows("read_run.sql", day=day or runs[0]["business_day"])
        if not found:
            raise NotThere(f"Business day {day} was never run. The newest one is {runs[0]['business_day']}.")
        run = found[0]
        at = {"day": run["business_day"]}
        return {
            "runs": runs,
            "run": run,
            "gates": reading.rows("read_gates.sql", **at),
            "failed_checks": reading.rows("read_failed_checks.sql", **at),
            "set_aside": reading.rows("read_quarantine.sql", **at),
        }
