"""The baselines see recency, frequency and money, and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd

from segmentation.evaluate.baselines import KMEANS_RFM, RFM_GRID, baseline_labels


def _static(size: int) -> pd.DataFrame:
    generator = np.random.default_rng(1)
    orders = generator.choice([1.0, 30.0], size)
    return pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(size)],
            "recency_days": 60 / orders,
            "frequency_365d": orders,
            "monetary_365d": 20 * orders + generator.normal(0, 1, size),
            "sessions_28d": generator.uniform(0, 9, size),
        }
    )


def test_kmeans_on_rfm_finds_what_money_shows() -> None:
    static = _static(300)
    found = baseline_labels(static, k=2, seed=1)
    assert pd.crosstab(found[KMEANS_RFM].to_numpy(), static["frequency_365d"]).to_numpy().min() == 0
    assert found[RFM_GRID].index.tolist() == static["customer_id"].tolist()


def test_other_features_change_nothing() -> None:
    static = _static(300)
    one, other = (baseline_labels(s, 4, seed=1) for s in (static, static.assign(sessions_28d=0.0)))
    assert all(one[name].equals(other[name]) for name in one)


def test_one_customer() -> None:
    assert {name: labels.tolist() for name, labels in baseline_labels(_static(1), k=8, seed=1).items()} == {
        RFM_GRID: [0],
        KMEANS_RFM: [0],
    }
