"""`segmentation bench publish`: what publishing a million customers takes, and whether readers wait for it."""

from __future__ import annotations

import resource
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine, text

from segmentation import runs
from segmentation.catalog import CHECKED, FEATURES, MARKETING_ROLE, OUTLOOK, PUBLISH_ROLE, RAW, SEGMENTATIONS
from segmentation.config import Settings
from segmentation.connections import engine_for
from segmentation.demo.postgres import Server
from segmentation.demo.setup import set_up_server
from segmentation.publish.publish_night import publish_night

_SQL = Path(__file__).parent
_FIRST = date(2026, 6, 29)
_BUCKETS = 4
#: Share of the customers who change segment from the first night to the second.
MOVED = 0.01
#: Seconds between two looks of the reader.
_PAUSE_S = 0.05
_LOOK = text("""
select current.as_of, profiles.customers
from (select as_of from marts.customer_segments where customer_id = 'customer-7') as current
left join (select as_of, sum(customers) as customers from marts.segment_profiles group by as_of) as profiles
    using (as_of)
""")


@dataclass
class Reader:
    """Marketing at work: asks again and again for one customer's label and the profiles of the same day.

    Attributes
    ----------
    waits : seconds that each answer took
    wrong : answers in which the day of the labels had no profiles, or not of all customers
    """

    engine: Engine
    customers: int
    waits: list[float] = field(default_factory=list)
    wrong: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Ask until `end`."""
        while not self._ended.wait(_PAUSE_S):
            began = time.perf_counter()
            with self.engine.connect() as connection:
                row = connection.execute(_LOOK).one_or_none()
            self.waits.append(time.perf_counter() - began)
            if row is not None and row.customers != self.customers:
                self.wrong += 1

    def end(self) -> None:
        """Stop asking."""
        self._ended.set()


def time_publication(settings: Settings, server: Server, customers: int) -> pd.DataFrame:
    """Publish two synthetic nights while a reader looks on.

    Parameters
    ----------
    settings : Settings
        Its home is filled; a folder of its own.
    server : Server
        A fresh server.
    customers : int
        Customers with an order; each with 6 interests, 20 products and 8 categories.

    Returns
    -------
    DataFrame
        One row per night, the second with `MOVED` of the customers in another segment: seconds of the publication,
        peak memory of this process so far (MB), and the reader's looks, longest wait (ms) and wrong answers.
    """
    set_up_server(server)
    warehouse = engine_for(server.url("warehouse", PUBLISH_ROLE))
    marketing = engine_for(server.url("warehouse", MARKETING_ROLE))
    rows = []
    for night in range(2):
        day = _FIRST + timedelta(days=night)
        version = _write_night(settings, day, night, customers)
        now = datetime(2026, 7, 1, tzinfo=UTC) + timedelta(days=night)
        runs.start_run(warehouse, f"bench_{night}", day, now)
        base = runs.base_night(warehouse, day)
        reader = Reader(marketing, customers)
        looking = threading.Thread(target=reader.look)
        looking.start()
        began = time.perf_counter()
        try:
            publish_night(settings, day, version, base, warehouse, f"bench_{night}", now)
        finally:
            seconds = time.perf_counter() - began
            reader.end()
            looking.join()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append((night + 1, customers, seconds, peak, len(reader.waits), 1000 * max(reader.waits), reader.wrong))
    for engine in (warehouse, marketing):
        engine.dispose()
    columns = ["night", "customers", "seconds", "peak_mb", "looks", "longest_wait_ms", "wrong_looks"]
    return pd.DataFrame(rows, columns=columns).round(1)


def _write_night(settings: Settings, day: date, night: int, customers: int) -> str:
    """Write what the steps before publish leave of a night, and return the version of its segmentation."""
    import duckdb

    lake, version = settings.lake, f"{night:016x}"
    folder, outlook = lake.path(SEGMENTATIONS, day=day, version=version), lake.path(OUTLOOK, day=day)
    for each in (folder, outlook):
        each.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"threads": settings.features.threads}) as duck:
        told = {
            "customers": customers,
            "buckets": _BUCKETS,
            "moved": MOVED if night else 0,
            "night": night,
            "labels": folder / "labels.parquet",
            "outlook": outlook,
        }
        duck.execute((_SQL / "fill_night.sql").read_text().format(**told))
        for bucket in range(_BUCKETS):
            target = lake.path(FEATURES, day=day, bucket=f"{bucket:02d}")
            target.mkdir(parents=True, exist_ok=True)
            duck.execute((_SQL / "fill_bucket.sql").read_text().format(bucket=bucket, folder=target))
    described = [_described(number, f"Segment {number}") for number in range(9)]
    content = {
        "business_day": day.isoformat(),
        "model_version": "bench",
        "segments": described,
        "tastes": [_described(number, f"Taste {number}") for number in range(1, 8)],
        "taste_reason": "made up",
        "outlook_columns": ["q_spend", "q_bought", "q_orders"],
        "outlook_weights": [1.0, 1.0, 0.5],
        "lifecycle": [],
    }
    lake.write_json(content, folder / "segmentation.json")
    lake.write_json({"day": str(day), "files_hash": str(day)}, lake.path(CHECKED, "_days") / f"{day}.json")
    lake.write_json({"business_day": str(day), "snapshot_hash": "bench"}, lake.path(RAW, "_runs") / f"{day}.json")
    lake.write_json({"inputs_version": "bench"}, lake.path(FEATURES, day=day) / "features.json")
    return version


def _described(number: int, name: str) -> dict[str, object]:
    return {
        "segment_id": number,
        "name": name,
        "description": f"{name} of a made-up shop.",
        "status": "active",
        "born_on": _FIRST.isoformat(),
        "retired_on": None,
        "lineage": {},
        "distinctive": ["buys often"],
    }
