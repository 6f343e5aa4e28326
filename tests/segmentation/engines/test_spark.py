"""A shop that outgrows one machine changes one setting, and no customer may notice: Spark's files are DuckDB's files."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from segmentation.calendar import shop_timezone
from segmentation.catalog import CHECKED, FEATURES, OUTLOOK, WINDOWS
from segmentation.clusters.recluster import recluster
from segmentation.config import Settings
from segmentation.demo.simulator import simulate
from segmentation.encoder.encode_day import EncodeResult, encode_day
from segmentation.engines.spark import find_java
from segmentation.errors import DamagedModel, InvalidSetting, SparkFailed, SparkMissing, SparkUnreachable
from segmentation.features.build_features import build_features

FIRST_DAY, DAY = date(2025, 1, 1), date(2025, 4, 30)
TIMEZONE = "Europe/Berlin"
KEY = "a-key-that-no-other-machine-may-see-0123456789"
LOGIN = "postgresql://segmentation_publish:never-told@localhost/warehouse"


@pytest.fixture(scope="module", autouse=True)
def _java() -> None:
    try:
        find_java()
    except SparkMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with the checked rows of four months of 200 customers."""
    home = tmp_path_factory.mktemp("checked")
    lake = settings_at(home).lake
    shop = simulate(200, first_day=FIRST_DAY, last_day=DAY, timezone=TIMEZONE)
    tables = dict(shop.tables)
    orders = tables["orders"]
    tables["order_items"] = tables["order_items"].merge(orders[["order_id", "ordered_at"]], on="order_id")
    times = {"orders": "ordered_at", "order_items": "ordered_at", "events": "occurred_at"}
    for name, rows in tables.items():
        local = rows[times[name]].dt.tz_convert(shop_timezone(TIMEZONE)).dt.date if name in times else None
        plain = rows.assign(**{column: rows[column].astype(object) for column in rows.select_dtypes("category")})
        schema = pa.Schema.from_pandas(plain, preserve_index=False)
        for day, part in plain.groupby(local) if local is not None else [(DAY, plain)]:
            table = pa.Table.from_pandas(part, schema, preserve_index=False)
            lake.write_table(table, lake.rows_file(CHECKED, name, day))
    return home


@pytest.fixture(scope="module")
def on_duckdb(checked: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, EncodeResult]:
    """The night of the last day by the engine that every shop begins with."""
    home = tmp_path_factory.mktemp("duckdb") / "home"
    shutil.copytree(checked, home)
    return settings_at(home), night_of(settings_at(home))


def settings_at(home: Path, **changes: Any) -> Settings:
    return Settings(
        **{
            "home": home,
            "timezone": TIMEZONE,
            "features": {"buckets": 3, "training_cutoffs": 2, "threads": 1},
            "encoder": {"cold_epochs": 1, "minimum_customers": 50, "threads": 1},
            "privacy": {"key": KEY},
        }
        | changes
    )


def night_of(settings: Settings) -> EncodeResult:
    build_features(settings, DAY, warm=False)
    return encode_day(settings, DAY, None, None, "run")


def digests(settings: Settings) -> dict[str, str]:
    root = settings.lake.root
    files = [path for name in (FEATURES, WINDOWS, OUTLOOK) for path in (root / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_local(checked, on_duckdb, tmp_path):
    import logging
    logging.basicConfig(level=logging.INFO)
    shutil.copytree(checked, tmp_path / "home")
    settings = settings_at(tmp_path / "home", engine="spark")
    t = time.time()
    build_features(settings, DAY, warm=False)
    print("features", time.time() - t)
    t = time.time()
    r = encode_day(settings, DAY, None, None, "run")
    print("encode", time.time() - t, r.seconds, on_duckdb[1].seconds)
    assert digests(settings) == digests(on_duckdb[0])
    print(len(digests(settings)))
