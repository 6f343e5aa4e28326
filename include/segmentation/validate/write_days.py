"""Write what was checked: good rows as they are, rows set aside with their reason, and the day's manifest."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from segmentation.catalog import CHECKED, DAILY_TABLES, QUARANTINE, RAW, SNAPSHOT_TABLES
from segmentation.lake import Lake, content_hash, replacing
from segmentation.validate.check_rows import CheckedTable
from segmentation.validate.findings import DayFigures


def write_quarantine(lake: Lake, table: CheckedTable, position: int) -> str:
    """Replace the quarantine file of one day of a table; a day without bad rows has none.

    Parameters
    ----------
    lake : Lake
        Where it goes.
    table : CheckedTable
        A batch of days.
    position : int
        Which of its days.

    Returns
    -------
    str
        The file, relative to the lake.
    """
    target = lake.rows_file(QUARANTINE, table.name, table.days[position])
    masks = table.broken_on(position)
    bad = masks != 0
    if bad.any():
        reasons = pa.array([table.reason(int(mask)) for mask in masks[bad]], pa.string())
        lake.write_table(table.files[position].filter(pa.array(bad)).append_column("reason", reasons), target)
    else:
        lake.remove(target.parent)
    return target.relative_to(lake.root).as_posix()


def write_checked(
    lake: Lake,
    day: date,
    raw_manifest: Mapping[str, Any],
    extraction: Mapping[str, Any],
    tables: Mapping[str, CheckedTable],
    figures: Sequence[DayFigures],
    releases: Sequence[int] = (),
) -> list[tuple[Path, dict[str, Any]]]:
    """Replace the checked files of one day.

    Parameters
    ----------
    lake : Lake
        Where they go.
    day : date
        The day.
    raw_manifest, extraction : mapping
        Manifest of the raw day, and record of the run's extraction.
    tables : mapping of str to CheckedTable
        Checked batches that hold the day; snapshots among them if it is the run's day.
    figures : sequence of DayFigures
        The day's tables in figures.
    releases : sequence of int
        Numbers of the releases that the day's rows were checked with.

    Returns
    -------
    list of (Path, dict)
        Manifests to be written when everything else is: until then the day counts as not checked.
    """
    written: dict[str, Path] = {}
    for one in figures:
        table = tables[one.table]
        written[one.table] = lake.rows_file(CHECKED, one.table, day)
        _write_good_rows(lake, table, table.days.index(day), written[one.table])
    manifests = []
    for manifest, names, source in (
        (lake.day_manifest(CHECKED, day), DAILY_TABLES, ("raw_hash", raw_manifest["files_hash"])),
        (lake.run_manifest(CHECKED, day), SNAPSHOT_TABLES, ("snapshot_hash", extraction["snapshot_hash"])),
    ):
        of_kind = [one for one in figures if one.table in names]
        if names is SNAPSHOT_TABLES and day.isoformat() != extraction["business_day"]:
            continue
        for name in set(names) - set(written):
            lake.remove(lake.path(CHECKED, name, day=day))
            lake.remove(lake.path(QUARANTINE, name, day=day))
        content = {
            "day": day.isoformat(),
            source[0]: source[1],
            "rows_in": {one.table: one.rows for one in of_kind},
            "rows_ok": {one.table: one.rows - one.set_aside for one in of_kind},
            "quarantined": {one.table: one.reasons for one in of_kind},
            "volume": {one.table: one.volume for one in of_kind},
            "hashes": {one.table: content_hash(written[one.table]) for one in of_kind},
            "files_hash": content_hash(*(written[one.table] for one in of_kind)),
        }
        if releases and names is DAILY_TABLES:
            content["releases"] = list(releases)
        manifests.append((manifest, content))
    return manifests


def _write_good_rows(lake: Lake, table: CheckedTable, position: int, target: Path) -> None:
    masks = table.broken_on(position)
    if np.any(masks):
        lake.write_table(table.files[position].filter(pa.array(masks == 0)), target)
        return
    # nothing to take out: the raw file itself is the checked one, whatever wrote it
    with replacing(target) as temporary:
        shutil.copyfile(lake.rows_file(RAW, table.name, table.days[position]), temporary)
