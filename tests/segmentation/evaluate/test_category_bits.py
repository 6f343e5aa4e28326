"""What tastes tell of the next category, in `ops.metrics`, beside what the segments tell of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sqlalchemy import Engine

from segmentation.clusters.recluster import recluster
from segmentation.evaluate.evaluate_day import evaluate_day
from segmentation.evaluate.usefulness import category_bits
from segmentation.runs import PublishedNight

MakeShop = Callable[..., Any]


def _metrics(warehouse: Engine) -> pd.DataFrame:
    with warehouse.connect() as connection:
        return pd.read_sql("select * from ops.metrics", connection).set_index(["metric", "scope"]).sort_index()


def _write_likings(shop: Any) -> None:
    """Let every third customer love tea, wine or cheese, then as now, whatever they are worth."""
    before = shop.day - timedelta(days=28)
    names = np.array(["tea", "wine", "cheese"])
    loved = names[np.arange(len(shop.rates)) % 3]
    table = pd.DataFrame(
        {
            "customer_id": np.repeat(shop.rates.index.to_numpy(), 3),
            "category": np.tile(names, len(loved)),
            "spend_share": np.where(np.repeat(loved, 3) == np.tile(names, len(loved)), 0.8, 0.1),
            "product_view_share": 0.0,
        }
    )
    bought = table.assign(spend=30 * table["spend_share"])[["customer_id", "category", "spend"]]
    lake = shop.settings.lake
    window = lake.path("windows", day=shop.day, cutoff=before) / "bucket=00"
    for folder in (lake.path("features", day=shop.day) / "bucket=00", window):
        lake.write_table(pa.Table.from_pandas(table, preserve_index=False), folder / "categories.parquet")
    lake.write_table(pa.Table.from_pandas(bought, preserve_index=False), window / "target_categories.parquet")


def test_tastes_tell_the_category_and_segments_do_not(make_shop: MakeShop, warehouse: Engine) -> None:
    shop = make_shop()
    _write_likings(shop)
    one = recluster(shop.settings, shop.day, None)
    verdict = evaluate_day(shop.settings, shop.day, one.segmentation_version, None, warehouse, "run 1")
    assert verdict.publish
    found = _metrics(warehouse)
    assert verdict.metrics["category_bits[taste]"] > 0.5
    assert abs(verdict.metrics["category_bits[model]"]) < 0.02
    assert found.loc[("category_bits", "taste"), "detail"].startswith(
        "bits of the category of the spend after 2026-05-01"
    )
    assert found.loc[("tastes", ""), ["value", "detail"]].tolist() == [3.0, one.taste_reason]
    assert found.loc[("customers_with_taste", ""), "value"] == 600
    # the whole table of the search
    assert found.loc[("category_bits", "taste_k=3"), "step"] == "cluster"
    again = make_shop(day=shop.day + timedelta(days=1))
    _write_likings(again)
    base = PublishedNight(shop.day, "run 1", "m", one.segmentation_version)
    two = recluster(again.settings, again.day, base)
    verdict = evaluate_day(again.settings, again.day, two.segmentation_version, base, warehouse, "run 2")
    assert verdict.metrics["tastes_moved"] == 0.0


@pytest.mark.parametrize("model", [True, False], ids=["model", "rfm"])
def test_a_shop_without_categories_says_so(make_shop: MakeShop, warehouse: Engine, model: bool) -> None:
    shop = make_shop(model=model)
    version = recluster(shop.settings, shop.day, None).segmentation_version
    verdict = evaluate_day(shop.settings, shop.day, version, None, warehouse, "run 1")
    assert verdict.publish
    assert verdict.metrics["tastes"] == 0.0
    found = _metrics(warehouse)
    assert found.loc[("tastes", ""), "detail"] == "no tastes: the shop has no product categories"
    assert found.loc[("category_bits", "taste"), "detail"] == "no tastes: the shop has no product categories"
    assert found.loc[("category_bits", "taste"), ["value"]].isna().all()


def test_bits_do_not_grow_with_noise() -> None:
    generator = np.random.default_rng(3)
    spend = generator.gamma(0.5, 20.0, (400, 8))
    assert category_bits(generator.integers(0, 40, 400), spend, seed=1) <= 0.0
    assert category_bits(np.arange(400) % 2, spend[:, :1], seed=1) == 0.0
    assert np.isnan(category_bits([1, 2], np.ones((2, 3)), seed=1))
    assert np.isnan(category_bits([1] * 9, np.zeros((9, 3)), seed=1))
    # whoever spent nothing does not count
    told = category_bits(np.arange(400) % 2, np.eye(2)[np.arange(400) % 2] * 9.0, seed=1)
    idle = np.vstack([np.eye(2)[np.arange(400) % 2] * 9.0, np.zeros((50, 2))])
    assert category_bits(np.arange(450) % 2, idle, seed=1) == told > 0.99
