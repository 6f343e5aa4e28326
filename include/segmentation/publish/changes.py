"""Why a day that is published again may differ from what it was: which of its inputs changed."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from segmentation.config import Settings
from segmentation.runs import PUBLISHED, PublishedNight, inputs_file
from segmentation.warehouse import changes, runs

#: Stands where a source table would, when the night that a day builds on is what differs.
NIGHT_BEFORE = "night before"
#: Stands where a source table would, when the lake no longer tells what the earlier run was made from.
ALL_ROWS = "all rows"
_NONE = ["none", ""]


def explain_changes(
    connection: Connection,
    settings: Settings,
    day: date,
    run_id: str,
    base: PublishedNight | None,
    inputs_version: str | None,
) -> None:
    """Enter into `ops.changes` which inputs differ from those of the run that is published for the day until now.

    Parameters
    ----------
    connection : Connection
        The publishing transaction, before the run is entered as published.
    settings : Settings
        All settings; what both runs were made from is read from the lake.
    day : date
        Business day.
    run_id : str
        Run that publishes now.
    base : PublishedNight, optional
        The night that it built on.
    inputs_version : str, optional
        Of this run, see `runs.inputs_version`.
    """
    query = select(runs.c.run_id, runs.c.inputs_version, runs.c.base_day, runs.c.base_segmentation_version)
    before = connection.execute(query.where(runs.c.status == PUBLISHED, runs.c.business_day == day)).one_or_none()
    if before is None:
        return
    found = _rows_that_differ(settings, day, before.inputs_version, inputs_version)
    was = (before.base_day, before.base_segmentation_version)
    if night := _base_that_differs(day, was, base):
        found.append(night)
    # the same run, cleared and published again from the same inputs, keeps what explains it
    if found:
        connection.execute(delete(changes).where(changes.c.business_day == day, changes.c.run_id == run_id))
        of_run = {"business_day": day, "run_id": run_id, "replaces_run_id": before.run_id}
        connection.execute(insert(changes), [of_run | one for one in found])


def _base_that_differs(
    day: date, was: tuple[date | None, str | None], base: PublishedNight | None
) -> dict[str, Any] | None:
    now = (base.business_day, base.segmentation_version) if base else (None, None)
    if was == now:
        return None
    texts = [" ".join(map(str, each)) if each[0] else "none" for each in (was, now)]
    return {"input": NIGHT_BEFORE, "data_day": now[0] or was[0] or day, "before": texts[0], "after": texts[1]}


def _rows_that_differ(settings: Settings, day: date, was: str | None, now: str | None) -> list[dict[str, Any]]:
    if was == now or now is None:
        return []
    files = [inputs_file(settings.lake, day, version) for version in (was, now) if version]
    if len(files) < 2 or not all(file.exists() for file in files):
        return [{"input": ALL_ROWS, "data_day": day, "before": was or "unknown", "after": now}]
    old, new = (json.loads(file.read_text()) for file in files)
    return [
        {
            "input": table,
            "data_day": date.fromisoformat(data_day),
            "before": str(old.get(table, {}).get(data_day, _NONE)[0]),
            "after": str(new.get(table, {}).get(data_day, _NONE)[0]),
        }
        for table in sorted({*old, *new})
        for data_day in sorted({*old.get(table, {}), *new.get(table, {})})
        if old.get(table, {}).get(data_day) != new.get(table, {}).get(data_day)
    ]
