"""The map has no ids, leaves small segments out and does not turn over; the taste mix hides few customers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pytest

from segmentation.publish.map_customers import POINTS, map_customers, mix_tastes

DAY = date(2026, 3, 1)
COLUMNS = {"outlook_columns": ["q_spend", "q_orders", "q_n_page_view"], "outlook_weights": [1.0, 1.0, 0.1]}


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def label(duck: duckdb.DuckDBPyConnection, sizes: dict[int, int], seed: int = 1) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        {
            "customer_id": f"c{segment}-{n}",
            "segment_id": segment,
            "position": [3.0 * segment + rng.normal(), rng.normal(0, 0.5), rng.normal()],
            "taste_id": 1 + n % 2,
        }
        for segment, size in sizes.items()
        for n in range(size)
    ]
    duck.register("frame", pd.DataFrame(rows).sample(frac=1, random_state=seed))
    duck.sql("create or replace table labels as select * from frame")


def test_axes_point_where_what_weighs_most_grows(duck: duckdb.DuckDBPyConnection) -> None:
    label(duck, {1: 40, 2: 40, 3: 9})
    (row,) = map_customers(duck, DAY, COLUMNS)
    assert row["x_axis"].startswith("higher expected spend")
    assert row["y_axis"].startswith("higher expected orders")
    x, segments = np.array(row["x"]), np.array(row["segment_ids"])
    assert x[segments == 2].mean() > x[segments == 1].mean() + 2
    assert set(segments) == {1, 2}, "a segment of 9 customers is left out"
    assert len(x) == len(row["y"]) == 80
    assert row["customers"] == 89
    assert 0.9 < row["explained"] <= 1
    assert not any("c1-" in str(value) for value in row.values())


def test_the_order_of_rows_changes_nothing(duck: duckdb.DuckDBPyConnection) -> None:
    label(duck, {1: 40, 2: 40})
    first = map_customers(duck, DAY, COLUMNS)
    duck.sql("create or replace table labels as select * from labels order by customer_id desc")
    assert map_customers(duck, DAY, COLUMNS) == first


def test_a_large_shop_is_sampled(duck: duckdb.DuckDBPyConnection) -> None:
    label(duck, {1: POINTS, 2: 200})
    (row,) = map_customers(duck, DAY, COLUMNS)
    assert len(row["x"]) == POINTS
    assert row["customers"] == POINTS + 200


@pytest.mark.parametrize(
    "segmentation",
    [{}, {"outlook_columns": [], "outlook_weights": []}, {"outlook_columns": ["q_spend"], "outlook_weights": [1.0]}],
    ids=["from before", "no model", "one column"],
)
def test_without_an_outlook_there_is_no_map(duck: duckdb.DuckDBPyConnection, segmentation: dict[str, object]) -> None:
    label(duck, {1: 40})
    assert map_customers(duck, DAY, segmentation) == []


def test_tastes_of_few_are_left_out_and_shares_are_of_all(duck: duckdb.DuckDBPyConnection) -> None:
    label(duck, {1: 40, 2: 19})
    assert mix_tastes(duck, DAY) == [
        {"as_of": DAY, "segment_id": 1, "taste_id": 1, "customers": 20, "share": 0.5, "lift": 0.9833},
        {"as_of": DAY, "segment_id": 1, "taste_id": 2, "customers": 20, "share": 0.5, "lift": 1.0172},
        {"as_of": DAY, "segment_id": 2, "taste_id": 1, "customers": 10, "share": 0.526316, "lift": 1.0351},
    ]
