"""What has changed in the source's columns since the night before: worth knowing, although the run can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date

from segmentation.catalog import RAW
from segmentation.lake import Lake
from segmentation.validate.findings import shown
from segmentation.validate.records import CheckRecord

PROMISE = "the source's columns are as the night before"
Columns = Mapping[str, Mapping[str, str]]


def note_source_columns(lake: Lake, day: date, now: Columns) -> list[CheckRecord]:
    """Compare the source's columns with those that the newest earlier run found.

    Parameters
    ----------
    lake : Lake
        With the records of extractions.
    day : date
        Business day of the run.
    now : mapping
        Contract table -> column of the source -> type, as this run's extraction found them.

    Returns
    -------
    list of CheckRecord
        One note per table; none on a first night, and none for a table that the night before did not have.
    """
    before = _columns_before(lake, day)
    return [_compared(table, before[table], columns) for table, columns in sorted(now.items()) if table in before]


def _compared(table: str, before: Mapping[str, str], now: Mapping[str, str]) -> CheckRecord:
    said = [f"added: {shown(name)} ({now[name]}), not read" for name in now if name not in before]
    said += [f"gone: {shown(name)} ({before[name]})" for name in before if name not in now]
    said += [
        f"another type: {shown(name)}, {before[name]} before, {now[name]} now"
        for name in now
        if name in before and before[name] != now[name]
    ]
    return CheckRecord(table, PROMISE, "", "note", not said, 0, 0, "; ".join(said))


def _columns_before(lake: Lake, day: date) -> Columns:
    days = [date.fromisoformat(file.stem) for file in lake.run_manifest(RAW, day).parent.glob("????-??-??.json")]
    earlier = max((other for other in days if other < day), default=None)
    if earlier is None:
        return {}
    # a night from before they were kept has none
    found: Columns = json.loads(lake.run_manifest(RAW, earlier).read_text()).get("source_columns", {})
    return found
