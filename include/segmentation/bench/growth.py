"""`segmentation bench growth`: what a longer history costs the features step of a following night.

One shop is simulated and cut to its last so many days, so each night has the same customers and the same new rows.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from segmentation.bench.apart import work_apart
from segmentation.bench.planted import lay
from segmentation.bench.replay import link
from segmentation.bench.scale_shop import PACE
from segmentation.catalog import CHECKED, CUSTOMERS, DAILY_TABLES, PRODUCTS
from segmentation.config import Settings
from segmentation.demo.simulator import TIMEZONE, simulate_blocks
from segmentation.features.build_features import build_features
from segmentation.lake import Lake, content_hash

log = logging.getLogger(__name__)

COLUMNS = ("history_days", "rows", "customers", "seconds", "cpu_seconds", "peak_mb", "read_mb")
_LAST_DAY = date(2026, 6, 30)


def time_growth(settings: Settings, folder: Path, customers: int, lengths: Sequence[int], seed: int) -> pd.DataFrame:
    """Describe the customers of a following night of shops that differ in the length of their history.

    Over less than 430 days windows of a year are not full yet, so that part of the growth is more to describe; and who
    ordered before the history only is no customer of it.

    Parameters
    ----------
    settings : Settings
        All but home and timezone are used.
    folder : Path
        An empty folder.
    customers : int
        Registered customers.
    lengths : sequence of int
        Days of history, the night's own among them; from 85 on, every night describes as many cut-offs.
    seed : int
        Seed of the shop.

    Returns
    -------
    DataFrame
        One row per length, `COLUMNS`: rows of the history, and what the step took in a process of its own, after the
        night before had spread what was there then.
    """
    first_day = _LAST_DAY - timedelta(days=max(lengths) - 1)
    shop = next(
        simulate_blocks(
            customers, customers, seed, first_day=first_day, last_day=_LAST_DAY, timezone=TIMEZONE, pace=PACE
        )
    )
    whole = settings.apart(folder / "whole", timezone=TIMEZONE).lake
    lay(whole, shop, _LAST_DAY)
    del shop
    found = []
    for length in dict.fromkeys(lengths):
        told = settings.apart(folder / f"{length}_days", timezone=TIMEZONE)
        begun, before = _LAST_DAY - timedelta(days=length - 1), _LAST_DAY - timedelta(days=1)
        rows = _let_in(whole, told.lake, begun, before)
        build_features(told, before, warm=True)
        rows += _let_in(whole, told.lake, _LAST_DAY, _LAST_DAY)
        result, cost = work_apart(build_features, told, _LAST_DAY, True)
        spent = (round(cost.seconds, 1), round(cost.cpu, 1), round(cost.peak / 1e6), round(cost.read / 1e6))
        found.append((length, rows, result.customers, *spent))
        log.info("%d days, %d rows, %d customers: %.1f s, %.1f CPU s, %d MB, %d MB read", *found[-1])
    return pd.DataFrame(found, columns=list(COLUMNS))


def _let_in(whole: Lake, lake: Lake, first: date, last: date) -> int:
    """Let a lake see some days' checked files, and the snapshots as of the last of them; return the days' rows."""
    rows = 0
    files: dict[date, dict[str, Path]] = {}
    for table in DAILY_TABLES:
        for day in (one for one in whole.days(CHECKED, table) if first <= one <= last):
            file = whole.rows_file(CHECKED, table, day)
            rows += pq.read_metadata(file).num_rows
            files.setdefault(day, {})[table] = file
            link(lake.place(CHECKED, table, day=day), whole.place(CHECKED, table, day=day))
    for day, of_day in files.items():
        # as the checks leave it: without it the night would read every file to know whether it has changed
        hashes = {table: content_hash(file) for table, file in of_day.items()}
        manifest = {"hashes": hashes, "files_hash": content_hash(*of_day.values())}
        lake.write_json(manifest, lake.day_manifest(CHECKED, day))
    for table in (CUSTOMERS, PRODUCTS):
        link(lake.place(CHECKED, table, day=last), whole.place(CHECKED, table, day=_LAST_DAY))
    return rows
