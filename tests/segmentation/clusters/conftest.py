"""Made-up nights in a lake: four kinds of customers whose outlook lies in four clouds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from segmentation import catalog
from segmentation.config import ClusterSettings, Settings

#: What each kind does: orders in 91 days, money an order, expected spend and orders of the outlook (in sd).
KINDS = {
    "regulars": (26.0, 20.0, 2.0, 2.0),
    "feasters": (6.0, 150.0, 2.0, -1.0),
    "samplers": (3.0, 30.0, -0.5, 0.5),
    "gone": (1.0, 25.0, -2.0, -2.0),
}


def _outlook_of(kinds: np.ndarray, seed: int, spread: float) -> pd.DataFrame:
    """Make one row per customer around the centre of their kind, as the encoder would write it."""
    generator = np.random.default_rng(seed)
    centres = np.array([KINDS[kind][2:] for kind in kinds])
    q = np.round(centres + generator.normal(0, spread, centres.shape), 4)
    return pd.DataFrame(
        {
            "held_out": np.arange(len(kinds)) % 5 == 0,
            "q_spend": q[:, 0].astype("float32"),
            "q_orders": q[:, 1].astype("float32"),
            "expected_spend": np.round(100 + 40 * q[:, 0], 2),
            "expected_orders": np.round(np.maximum(3 + q[:, 1], 0), 2),
            "churn_probability": 0.5,
        }
    )


def _static_of(kinds: np.ndarray, seed: int) -> pd.DataFrame:
    """Make static features of customers of these kinds."""
    generator = np.random.default_rng(seed)
    orders = np.array([KINDS[kind][0] for kind in kinds]) + generator.integers(0, 3, len(kinds))
    basket = np.array([KINDS[kind][1] for kind in kinds]) * generator.uniform(0.8, 1.2, len(kinds))
    gap = np.where(orders > 1, 91 / orders, np.nan)
    return pd.DataFrame(
        {
            "recency_days": np.where(kinds == "gone", 80.0, np.nan_to_num(gap, nan=40.0) / 2),
            "tenure_days": 300.0,
            "frequency_91d": orders,
            "frequency_365d": orders * 4,
            "monetary_91d": orders * basket,
            "monetary_365d": orders * basket * 4,
            "average_order_value": basket,
            "gap_days_mean": gap,
            "discount_share": generator.uniform(0, 0.3, len(kinds)),
        }
    )


@pytest.fixture
def cluster_settings(make_settings: Callable[..., Settings]) -> Settings:
    # changes arrive at once, so that what a night makes of them can be seen in one night
    return make_settings(timezone="UTC", clusters=ClusterSettings(bootstraps=2, k_max=7, half_life_days=0))


@pytest.fixture
def write_night() -> Callable[..., list[str]]:
    """Return a function that writes the inputs of one night into a lake and returns the customers."""

    def write(
        settings: Settings,
        day: date,
        kinds: list[str],
        seed: int = 1,
        *,
        spread: float = 0.25,
        model: bool = True,
        no_order: tuple[str, ...] = (),
    ) -> list[str]:
        lake, of_customer = settings.lake, np.array(kinds)
        customers = [f"c{number:05d}" for number in range(len(kinds))]
        features = lake.path(catalog.FEATURES, day=day)
        static = _static_of(of_customer, seed).assign(customer_id=customers)
        for bucket in (0, 1):
            part = pa.Table.from_pandas(static.iloc[bucket::2])
            lake.write_table(part, features / f"bucket={bucket:02d}" / "static.parquet")
        lake.write_table(pa.table({"customer_id": pa.array(no_order, pa.string())}), features / "no_order.parquet")
        folder = lake.path(catalog.OUTLOOK, day=day)
        content = {"model_version": "rfm", "reason": "the shop is too young", "cutoff": None, "heads": []}
        if model:
            content |= {"model_version": "2026-01-01-abc", "reason": ""}
            table = pa.Table.from_pandas(_outlook_of(of_customer, seed, spread).assign(customer_id=customers))
            lake.write_table(table, folder / "outlook.parquet")
        lake.write_json(content, folder / "outlook.json")
        return customers

    return write
