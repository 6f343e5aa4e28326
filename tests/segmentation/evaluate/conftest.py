"""A made-up shop with a past, a present and a matured future, written into a lake as the steps before would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from segmentation import catalog
from segmentation.config import ClusterSettings, Settings
from segmentation.lake import Lake

DAY = date(2026, 5, 29)
CUTOFF = DAY - timedelta(days=28)


@dataclass(frozen=True)
class Shop:
    """Where the made-up shop lies, and how often its customers order in 28 days (their true rate)."""

    settings: Settings
    day: date
    rates: pd.Series


def _static(rates: pd.Series, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    orders = generator.poisson(rates.to_numpy() * 3) + 1.0
    return pd.DataFrame(
        {
            "customer_id": rates.index,
            "recency_days": generator.exponential(28 / (rates.to_numpy() + 0.3)),
            "frequency_91d": orders,
            "frequency_365d": orders,
            "monetary_365d": orders * generator.uniform(5, 60, len(orders)),
            "average_order_value": 30.0 + generator.normal(0, 3, len(orders)),
        }
    )


def _outlook(rates: pd.Series, seed: int, skill: float) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    seen = np.log1p(rates.to_numpy())
    guess = skill * (seen - seen.mean()) / seen.std() + (1 - skill) * generator.normal(0, 1, len(seen))
    guess = np.round(guess + generator.normal(0, 0.05, len(seen)), 4)
    return pd.DataFrame(
        {
            "customer_id": rates.index,
            "held_out": np.arange(len(seen)) % 3 == 0,
            "q_spend": guess.astype("float32"),
            "q_orders": guess.astype("float32"),
            "expected_spend": 50 + 10 * guess,
            "expected_orders": 2 + guess,
            "churn_probability": 0.5,
        }
    )


def write_orders(lake: Lake, first: date, days: int, rates: pd.Series, seed: int) -> pd.DataFrame:
    """Write checked orders of consecutive days and return them all."""
    generator = np.random.default_rng(seed)
    every = []
    for offset in range(days):
        day = first + timedelta(days=offset)
        buyers = rates.index[generator.uniform(0, 1, len(rates)) < rates.to_numpy() / 28]
        at = datetime.combine(day, time(12), tzinfo=UTC)
        rows = pd.DataFrame(
            {
                "order_id": [f"{day}-{buyer}" for buyer in buyers],
                "customer_id": list(buyers),
                "ordered_at": pd.Series([at] * len(buyers), dtype="datetime64[us, UTC]"),
                "status": "completed",
                "currency": "EUR",
                "total_amount": np.round(generator.uniform(5, 60, len(buyers)), 2),
                "updated_at": pd.Series([at] * len(buyers), dtype="datetime64[us, UTC]"),
            }
        )
        schema = pa.schema(
            [
                ("order_id", pa.string()),
                ("customer_id", pa.string()),
                ("ordered_at", pa.timestamp("us", "UTC")),
                ("status", pa.string()),
                ("currency", pa.string()),
                ("total_amount", pa.float64()),
                ("updated_at", pa.timestamp("us", "UTC")),
            ]
        )
        table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False)
        lake.write_table(table, lake.path(catalog.CHECKED, catalog.ORDERS, day=day) / "rows.parquet")
        every.append(rows)
    return pd.concat(every, ignore_index=True)


@pytest.fixture
def make_shop(make_settings: Callable[..., Settings]) -> Callable[..., Shop]:
    """Return a function that writes a shop of 600 customers whose encoder has ``skill`` (0 = guesses, 1 = knows)."""

    def make(skill: float = 0.95, model: bool = True, day: date = DAY, cutoff: bool = True, seed: int = 1) -> Shop:
        settings = make_settings(timezone="UTC", clusters=ClusterSettings(bootstraps=2, k_max=5))
        lake = settings.lake
        generator = np.random.default_rng(7)
        ids = [f"c{number:04d}" for number in range(600)]
        rates = pd.Series(generator.choice([0.2, 1.0, 4.0, 12.0], 600), ids)

        def write(table: pd.DataFrame, *parts: object, name: str) -> None:
            target = lake.root.joinpath(*map(str, parts)) / name
            lake.write_table(pa.Table.from_pandas(table, preserve_index=False), target)

        features = ("features", f"day={day}")
        write(_static(rates, seed), *features, "bucket=00", name="static.parquet")
        write(pd.DataFrame({"customer_id": ["x1"]}), *features, name="no_order.parquet")
        content = {"model_version": "rfm", "reason": "too young", "cutoff": None, "heads": []}
        orders = generator.poisson(rates).astype(float)
        spend = np.round(orders * generator.uniform(5, 60, 600), 2)
        before = day - timedelta(days=28)
        cutoffs = [before.isoformat()] if cutoff else []
        lake.write_json({"cutoffs": cutoffs}, lake.path(catalog.FEATURES, day=day) / "features.json")
        if cutoff:
            window = ("windows", f"day={day}", f"cutoff={before}", "bucket=00")
            write(_static(rates, 2), *window, name="static.parquet")
            truth = pd.DataFrame({"customer_id": ids, "bought": (orders > 0) * 1, "spend": spend, "orders": orders})
            write(truth, *window, name="targets.parquet")
        if model:
            content |= {"model_version": "2026-01-01-abc", "reason": ""}
            write(_outlook(rates, seed, skill), "outlook", f"day={day}", name="outlook.parquet")
        if model and cutoff:
            content |= {"cutoff": before.isoformat()}
            matured = _outlook(rates, 3, skill).assign(
                actual_spend=spend, actual_orders=orders, actual_bought=(orders > 0) * 1
            )
            write(matured, "outlook", f"day={day}", name="matured.parquet")
        lake.write_json(content, lake.path(catalog.OUTLOOK, day=day) / "outlook.json")
        return Shop(settings, day, rates)

    return make


@pytest.fixture
def write_checked_orders() -> Callable[..., pd.DataFrame]:
    return write_orders
