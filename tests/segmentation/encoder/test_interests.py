"""Chances of buying from a category: fitted on customers apart from training, and true to what comes."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from segmentation.catalog import FEATURES, OUTLOOK, WINDOWS
from segmentation.encoder.interests import EVIDENCE, InterestModel, evidence_of, tell_interests, write_interests
from segmentation.lake import Lake

DAY = date(2026, 3, 31)
CUTOFF = DAY - timedelta(days=28)
CATEGORIES = ("books", "toys")
TRUE_CHANCE = {0: 0.1, 1: 0.7}


def write_shop(lake: Lake, customers: int = 3_000, held_out: bool = True, periods: bool = True) -> pd.DataFrame:
    """Write a shop in which those who bought a category in the last horizon buy it again 7 times in 10, others once.

    Customers who were trained on all buy everything: whoever fits on them is told wrong.
    """
    draws = np.random.default_rng(5)
    frames = {}
    for as_of in (CUTOFF, DAY):
        apart = draws.random(customers) < 0.5 if held_out else np.zeros(customers, dtype=bool)
        frame = pd.DataFrame({"customer_id": [f"c{n:05d}" for n in range(customers)], "held_out": apart})
        for category in CATEGORIES:
            frame[f"taste_{category}"] = draws.normal(size=customers).astype(np.float32)
            frame[f"lately_{category}"] = (draws.random(customers) < 0.3).astype(np.int64)
            chance = np.where(frame[f"lately_{category}"] == 1, TRUE_CHANCE[1], TRUE_CHANCE[0])
            frame[f"buys_{category}"] = (draws.random(customers) < chance) | (~apart if held_out else False)
        frames[as_of] = frame.assign(churn_probability=0.5, expected_orders=1.0)
    for as_of, folder in (
        (CUTOFF, lake.path(WINDOWS, day=DAY, cutoff=CUTOFF.isoformat())),
        (DAY, lake.path(FEATURES, day=DAY)),
    ):
        for bucket in range(2):
            part = frames[as_of].iloc[bucket::2]
            place = folder / f"bucket={bucket:02d}"
            lake.write_table(pa.table({"customer_id": part["customer_id"].tolist()}), place / "static.parquet")
            past = [part.loc[part[f"lately_{c}"] == 1, ["customer_id"]].assign(category=c) for c in CATEGORIES]
            bought = pd.concat(past).assign(spend_share=0.5, product_view_share=0.0)
            bought = bought.assign(periods=1) if periods else bought
            lake.write_table(pa.Table.from_pandas(bought, preserve_index=False), place / "categories.parquet")
            after = [part.loc[part[f"buys_{c}"], ["customer_id"]].assign(category=c, spend=1.0) for c in CATEGORIES]
            future = pa.Table.from_pandas(pd.concat(after), preserve_index=False)
            lake.write_table(future, place / "target_categories.parquet")
    out = lake.path(OUTLOOK, day=DAY)
    for name, as_of in (("matured", CUTOFF), ("outlook", DAY)):
        kept = frames[as_of].drop(columns=[c for c in frames[as_of] if c.startswith(("lately", "buys"))])
        lake.write_table(pa.Table.from_pandas(kept, preserve_index=False), out / f"{name}.parquet")
    taste = [{"category": c, "column": f"taste_{c}"} for c in CATEGORIES]
    lake.write_json({"model_version": "m1", "cutoff": CUTOFF.isoformat(), "taste": taste}, out / "outlook.json")
    return frames[DAY]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def test_chances_are_those_of_customers_apart_from_training(lake: Lake) -> None:
    truth = write_shop(lake)
    interests = tell_interests(lake, DAY)
    assert not isinstance(interests, str)
    lately = truth.set_index("customer_id").loc[list(interests.customer_ids), [f"lately_{c}" for c in CATEGORIES]]
    for value, chance in TRUE_CHANCE.items():
        assert interests.chances[lately.to_numpy() == value].mean() == pytest.approx(chance, abs=0.03)


def test_the_file_holds_who_is_likelier_than_average_and_again_the_same_bytes(lake: Lake) -> None:
    write_shop(lake)
    assert write_interests(lake, DAY) == ""
    file = lake.path(OUTLOOK, day=DAY) / "interests.parquet"
    once = file.read_bytes()
    assert write_interests(lake, DAY) == ""
    assert file.read_bytes() == once
    table = pd.read_parquet(file, partitioning=None)
    assert table[["customer_id", "category"]].equals(
        table[["customer_id", "category"]].sort_values(by=["customer_id", "category"])
    )
    assert (table["lift"] > 1).all()
    assert set(table["bought_periods"]) == {1}
    assert 0.2 < len(table) / 6_000 < 0.4


@pytest.mark.parametrize(
    ("shop", "reason"),
    [
        ({"held_out": False}, "0 customers apart from training have a known future, and 100 are needed"),
        ({"periods": False}, "made before they said when"),
    ],
)
def test_where_there_can_be_none_the_reason_is_said_and_no_old_file_stays(lake: Lake, shop: dict, reason: str) -> None:
    write_shop(lake)
    write_interests(lake, DAY)
    write_shop(lake, **shop)
    assert reason in write_interests(lake, DAY)
    assert not (lake.path(OUTLOOK, day=DAY) / "interests.parquet").exists()


def test_no_model_no_interests(lake: Lake) -> None:
    lake.write_json({"model_version": "rfm", "cutoff": None, "taste": []}, lake.path(OUTLOOK, day=DAY) / "outlook.json")
    assert write_interests(lake, DAY) == "there is no model"


def test_evidence_of_a_customer_without_any_past_is_the_shops(lake: Lake) -> None:
    outlook = pd.DataFrame({"churn_probability": [0.5], "expected_orders": [0.0], "taste_books": [0.0]})
    evidence = evidence_of(outlook, ["taste_books"], np.zeros((1, 1), np.int64), np.array([0.2]))
    assert evidence.shape == (1, 1, len(EVIDENCE))
    assert evidence[0, 0].tolist() == pytest.approx([0, 0, 0, np.log(0.25), np.log(0.25), 0, 0])


def test_the_fit_is_monotone_in_what_drives_it() -> None:
    draws = np.random.default_rng(3)
    evidence = draws.normal(size=(5_000, 2))
    bought = draws.random(5_000) < 1 / (1 + np.exp(-evidence[:, 0]))
    model = InterestModel.fit(evidence, bought)
    chances = model.chances(np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]))
    assert chances.tolist() == pytest.approx([0.27, 0.5, 0.73], abs=0.04)
