"""`segmentation bench crowd`: what the steps take that look at all customers at once, in a shop of very many.

A night of a million customers takes hours to make. Grouping and judging look only at what each customer is described
by, so two nights of a small shop are run and their customers are then multiplied: the crowd is as large as asked, and
as varied as the small shop.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from segmentation import runs
from segmentation.bench.apart import Cost, work_apart
from segmentation.bench.planted import lay
from segmentation.bench.replay import run_again
from segmentation.catalog import CHECKED, FEATURES, OUTLOOK, PUBLISH_ROLE, WINDOWS
from segmentation.clusters.recluster import recluster
from segmentation.config import Settings
from segmentation.connections import engine_for
from segmentation.demo.postgres import WAREHOUSE_DATABASE, Server
from segmentation.demo.setup import set_up_server
from segmentation.demo.simulator import DEMO_DAYS, FIRST_DAY, TIMEZONE, simulate
from segmentation.evaluate.evaluate_day import evaluate_day
from segmentation.lake import Lake, replacing
from segmentation.runs import PublishedNight

log = logging.getLogger(__name__)

COLUMNS = ("night", "step", "customers", "seconds", "cpu_seconds", "peak_mb")
#: Files with a row or more for each customer, of those that `cluster` and `evaluate` read.
_READ = {FEATURES: ("static.parquet", "categories.parquet", "no_order.parquet"), OUTLOOK: ("outlook.parquet",)}
_KEPT = ("matured.parquet", "*.json")


def time_crowd(settings: Settings, server: Server, folder: Path, customers: int, times: int, seed: int) -> pd.DataFrame:
    """Run two nights of a small shop, multiply its customers, and group and judge the crowd.

    Parameters
    ----------
    settings : Settings
        All but home and timezone are used.
    server : Server
        A fresh server.
    folder : Path
        An empty folder.
    customers : int
        Of the simulated shop, of five types.
    times : int
        How many of each the crowd has.
    seed : int
        Seed of the shop.

    Returns
    -------
    DataFrame
        One row per step in a process of its own, `COLUMNS`: ``cluster`` of a first night (with a search) and of the
        following one, and ``evaluate`` of the following one.
    """
    set_up_server(server)
    small, crowd = (settings.apart(folder / name, timezone=TIMEZONE) for name in ("small", "crowd"))
    days = (DEMO_DAYS[-1] - timedelta(days=1), DEMO_DAYS[-1])
    lay(small.lake, simulate(customers, seed, 5, first_day=FIRST_DAY, last_day=days[-1]), days[-1])
    crowd.lake.root.mkdir(parents=True)
    (crowd.lake.root / CHECKED).symlink_to(small.lake.root / CHECKED, target_is_directory=True)
    rows, base, crowd_base = [], None, None
    for night, day in zip(("first", "following"), days, strict=True):
        base = run_again(small, day, base).night
        multiply(small.lake, crowd.lake, day, times)
        clustered, cost = work_apart(recluster, crowd, day, crowd_base)
        rows.append(_row(night, "cluster", clustered.customers, cost))
        if crowd_base is not None:
            version = clustered.segmentation_version
            _, cost = work_apart(_evaluate, crowd, day, version, crowd_base, server)
            rows.append(_row(night, "evaluate", clustered.customers, cost))
        crowd_base = replace(base, segmentation_version=clustered.segmentation_version)
    return pd.DataFrame(rows, columns=list(COLUMNS)).round(1)


def multiply(small: Lake, crowd: Lake, day: date, times: int) -> None:
    """Write a day's features and outlook with every customer so many times; the first of each keeps the id.

    What the model learnt from stays as it is: a very large shop is learnt from a sample.
    """
    for file_set, names in _READ.items():
        folder = small.path(file_set, day=day)
        for file in (found for name in names for found in folder.rglob(name)):
            table = pq.read_table(file, partitioning=None)
            place = table.schema.get_field_index("customer_id")
            ids = table["customer_id"].cast(pa.string())
            copies = [table.set_column(place, "customer_id", _renamed(ids, number)) for number in range(times)]
            target = crowd.path(file_set, day=day) / file.relative_to(folder)
            crowd.write_table(pa.concat_tables(copies).sort_by("customer_id"), target)
        for file in (found for name in _KEPT for found in folder.glob(name)):
            with replacing(crowd.path(file_set, day=day) / file.name) as temporary:
                shutil.copyfile(file, temporary)
    linked = crowd.path(WINDOWS, day=day)
    linked.parent.mkdir(parents=True, exist_ok=True)
    linked.symlink_to(small.path(WINDOWS, day=day), target_is_directory=True)


def _renamed(ids: pa.ChunkedArray, number: int) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(ids, str(number), "-") if number else ids


def _evaluate(settings: Settings, day: date, version: str, base: PublishedNight, server: Server) -> None:
    warehouse = engine_for(server.url(WAREHOUSE_DATABASE, PUBLISH_ROLE))
    runs.start_run(warehouse, "bench", day, datetime.now(UTC))
    evaluate_day(settings, day, version, base, warehouse, "bench")


def _row(night: str, step: str, customers: int, cost: Cost) -> tuple[str, str, int, float, float, float]:
    row = (night, step, customers, cost.seconds, cost.cpu, cost.peak / 1e6)
    log.info("%s night, %s of %d customers: %.0f s, %.0f CPU s, %.0f MB", *row)
    return row
