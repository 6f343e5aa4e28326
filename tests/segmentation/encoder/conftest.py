"""A made-up shop whose future is decided by the order of events, written as the features step writes it.

Every customer searches four times and looks at four products. Those who search first and look last buy nine times
in ten; those who look first and search last buy once in ten. No count, no sum and no static feature tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import Engine

from segmentation.catalog import EVENT_TYPES, FEATURES, PUBLISH_ROLE, WINDOWS
from segmentation.config import Settings
from segmentation.demo.postgres import Server
from segmentation.features.as_of import TIMELINE_SCHEMA
from segmentation.features.definitions import FEATURE_NAMES

DAY = date(2026, 3, 31)
BUCKETS = 2
CATEGORIES = ("books", "garden", "toys")


def _timeline(types: list[str], categories: list[str | None], draws: np.random.Generator) -> dict[str, Any]:
    count = len(types)
    return {
        "length": count,
        "event_type": types,
        "category": categories,
        "log_amount": [3.0 if kind == "order" else 0.0 for kind in types],
        "discount_share": [0.1 if kind == "order" else 0.0 for kind in types],
        "log_hours_since_previous": draws.uniform(0, 3, count).tolist(),
        "day_of_week": draws.integers(0, 7, count).tolist(),
        "hour": draws.integers(0, 24, count).tolist(),
        "days_before": np.sort(draws.uniform(0, 60, count))[::-1].tolist(),
    }


def _write_customers(
    settings: Settings, folder: Path, ids: list[str], draws: np.random.Generator, clickstream: bool, future: bool
) -> None:
    count, lake = len(ids), settings.lake
    static: dict[str, Any] = {"customer_id": ids} | {name: pa.nulls(count, pa.float64()) for name in FEATURE_NAMES}
    for name in ("recency_days", "frequency_91d", "monetary_91d", "tenure_days"):
        static[name] = draws.uniform(1, 50, count)
    lake.write_table(pa.table(static), folder / "static.parquet")

    eager = draws.random(count) < 0.5
    rows = []
    for place, key in enumerate(ids):
        first, last = ("search", "product_view") if eager[place] else ("product_view", "search")
        orders = ["order"] * int(draws.integers(1, 40))
        types = orders + ([first] * 4 + [last] * 4 if clickstream else [])
        rows.append(
            {"customer_id": key}
            | _timeline(types, [CATEGORIES[0]] * len(orders) + [None] * (len(types) - len(orders)), draws)
        )
    lake.write_table(pa.Table.from_pylist(rows, schema=TIMELINE_SCHEMA), folder / "timeline.parquet")

    favourite = draws.integers(0, len(CATEGORIES), count)
    known = ids if clickstream else []
    categories = {
        "customer_id": pa.array(known, pa.string()),
        "category": pa.array([CATEGORIES[favourite[place]] for place in range(len(known))], pa.string()),
        "spend_share": pa.array([1.0] * len(known), pa.float64()),
        "product_view_share": pa.array([None] * len(known), pa.float64()),
    }
    lake.write_table(pa.table(categories), folder / "categories.parquet")
    if not future:
        return
    bought = draws.random(count) < np.where(eager, 0.9, 0.1)
    spend = np.round(np.where(bought, draws.lognormal(3, 1, count), 0.0), 2)
    unknown = pa.nulls(count, pa.float64())
    counts = {f"n_{event}": draws.poisson(3, count).astype(float) if clickstream else unknown for event in EVENT_TYPES}
    targets = {
        "customer_id": ids,
        "bought": bought.astype(np.int8),
        "spend": spend,
        "orders": np.where(bought, 1 + draws.poisson(1, count), 0).astype(float),
        "sessions": draws.poisson(4, count).astype(float) if clickstream else unknown,
        **counts,
        "views_per_session": unknown,
        "sessions_per_order": unknown,
        "search_order_share": unknown,
        "cart_order_share": unknown,
        "left_cart_share": unknown,
        "removed_share": unknown,
        "campaign_order_share": unknown,
        "discount_share": pa.array(np.where(bought, draws.random(count), np.nan), pa.float64(), from_pandas=True),
        "returns_share": np.where(bought, 0.0, 0.0),
        "gap_days_mean": unknown,
        "gap_days_variation": unknown,
    }
    lake.write_table(pa.table(targets), folder / "targets.parquet")
    buyers = np.flatnonzero(bought) if clickstream else np.array([], int)
    next_categories = {
        "customer_id": pa.array([ids[place] for place in buyers], pa.string()),
        "category": pa.array([CATEGORIES[favourite[place]] for place in buyers], pa.string()),
        "spend": pa.array(spend[buyers], pa.float64()),
    }
    lake.write_table(pa.table(next_categories), folder / "target_categories.parquet")


def write_world(
    settings: Settings, day: date, customers: int = 500, cutoffs: int = 2, clickstream: bool = True
) -> None:
    """Write features and windows of one day; without ``clickstream`` the shop has orders and nothing else."""
    horizon = timedelta(days=settings.features.horizon_days)
    ends = [day - horizon * number for number in range(1, cutoffs + 1)]
    for number, as_of in enumerate([day, *ends]):
        for bucket in range(BUCKETS):
            ids = [f"c{key:04d}" for key in range(customers) if key % BUCKETS == bucket]
            part = f"{bucket:02d}"
            folder = (
                settings.lake.path(WINDOWS, day=day, cutoff=as_of, bucket=part)
                if number
                else settings.lake.path(FEATURES, day=day, bucket=part)
            )
            draws = np.random.default_rng([day.toordinal(), number, bucket])
            _write_customers(settings, folder, ids, draws, clickstream, future=number > 0)
    described = {"as_of": day, "customers": customers, "buckets": BUCKETS, "cutoffs": [str(end) for end in ends]}
    settings.lake.write_json(described, settings.lake.path(FEATURES, day=day) / "features.json")


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Settings]:
    """Return a factory of settings under which a few hundred customers train in seconds."""

    def make(home: Path, **encoder: Any) -> Settings:
        quick = {
            "width": 16,
            "batch_size": 64,
            "cold_epochs": 8,
            "learning_rate": 5e-3,
            "minimum_customers": 100,
        }
        return Settings(home=home, timezone="UTC", encoder=quick | encoder, features={"sequence_length": 64})

    return make


@pytest.fixture(scope="session")
def world() -> Callable[..., None]:
    """Return `write_world`."""
    return write_world


@pytest.fixture(scope="session")
def models_url(server: Server, _warehouse_template: str) -> str:
    """URL of a migrated warehouse, as the publish role, that the tests of this folder share."""
    from segmentation.publish.roles import grant_warehouse_roles

    server.create_database("encoder_warehouse", template=_warehouse_template)
    admin = server.engine("encoder_warehouse")
    grant_warehouse_roles(admin)
    admin.dispose()
    return server.url("encoder_warehouse", PUBLISH_ROLE)


@pytest.fixture
def models_engine(models_url: str) -> Iterator[Engine]:
    """Engine of the warehouse at `models_url`."""
    from segmentation.connections import engine_for

    engine = engine_for(models_url)
    yield engine
    engine.dispose()
