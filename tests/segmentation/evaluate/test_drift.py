"""Drift is told from chance: what every weekend does is no drift, a changed source is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from segmentation.config import Settings
from segmentation.evaluate.drift import Drift, feature_drift, input_drift

DAY = date(2026, 5, 29)


def write_orders(settings: Settings, day: date, amounts: Any, currency: Any = "EUR", **more: Any) -> None:
    """Write a day's checked orders, with the columns that drift is looked for in."""
    rows = len(amounts)
    table = {
        "order_id": [f"{day}-{row}" for row in range(rows)],
        "customer_id": [f"c{row}" for row in range(rows)],
        "ordered_at": pa.array([datetime.combine(day, time(12), UTC)] * rows, pa.timestamp("us", "UTC")),
        "status": ["completed"] * rows,
        "currency": pa.array([currency] * rows if isinstance(currency, str) else currency, pa.string()),
        "total_amount": pa.array(amounts, pa.float64()),
        **more,
    }
    settings.lake.write_table(pa.table(table), settings.lake.rows_file("checked", "orders", day))


def write_weeks(settings: Settings, orders_a_day: int = 100) -> np.random.Generator:
    """Write four weeks of orders before `DAY`: 20 on average, 40 at weekends."""
    generator = np.random.default_rng(5)
    for back in range(1, 29):
        day = DAY - timedelta(days=back)
        mean = 40 if day.weekday() >= 5 else 20
        write_orders(settings, day, generator.exponential(mean, orders_a_day))
    return generator


def named(found: list[Drift]) -> dict[str, Drift]:
    return {drift.column: drift for drift in found}


def broken(found: list[Drift]) -> set[str]:
    return {drift.column for drift in found if drift.value > drift.limit}


def test_a_usual_day_and_a_usual_weekend_do_not_drift(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(timezone="UTC")
    generator = write_weeks(settings)
    for mean in (20, 40):
        write_orders(settings, DAY, generator.exponential(mean, 100))
        found = input_drift(settings.lake, DAY, settings.evaluate)
        assert broken([*found.nulls, *found.distributions]) == set()
        assert found.basis == "the 28 days before"
    # what the weekends differ by is above what is allowed where days are alike
    assert named(found.distributions)["orders.total_amount"].limit > settings.evaluate.drift_limit
    assert named(found.distributions)["orders.currency"].limit == settings.evaluate.drift_limit


@pytest.mark.parametrize(
    ("change", "column"),
    [
        pytest.param({"amounts": 100}, "orders.total_amount", id="cents instead of euros"),
        pytest.param({"currency": "USD"}, "orders.currency", id="another currency"),
        pytest.param({"amounts": -1}, "orders.total_amount", id="less than ever before"),
    ],
)
def test_a_changed_source_drifts(make_settings: Callable[..., Settings], change: dict[str, Any], column: str) -> None:
    settings = make_settings(timezone="UTC")
    generator = write_weeks(settings)
    amounts = generator.exponential(20, 100) * change.get("amounts", 1)
    write_orders(settings, DAY, amounts, change.get("currency", "EUR"))
    found = input_drift(settings.lake, DAY, settings.evaluate)
    assert broken(found.distributions) == {column}
    assert broken(found.nulls) == set()


def test_a_column_that_is_no_longer_filled_in_drifts(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(timezone="UTC")
    generator = write_weeks(settings)
    write_orders(settings, DAY, generator.exponential(20, 100), [None] * 60 + ["EUR"] * 40)
    found = input_drift(settings.lake, DAY, settings.evaluate)
    assert broken(found.nulls) == {"orders.currency"}
    assert named(found.nulls)["orders.currency"].value == pytest.approx(0.6)


def test_new_columns_few_rows_and_young_shops_are_not_judged(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(timezone="UTC")
    assert input_drift(settings.lake, DAY, settings.evaluate).basis == ""
    generator = write_weeks(settings)
    write_orders(settings, DAY, generator.exponential(20, 100), coupon_code=pa.array(["SPRING"] * 100))
    found = input_drift(settings.lake, DAY, settings.evaluate)
    assert "orders.coupon_code" not in named(found.nulls)
    write_orders(settings, DAY, [1e6] * 20)
    assert input_drift(settings.lake, DAY, settings.evaluate).distributions == []
    for back in range(7, 29):
        settings.lake.remove(settings.lake.path("checked", "orders", day=DAY - timedelta(days=back)))
    write_orders(settings, DAY, [1e6] * 100)
    assert input_drift(settings.lake, DAY, settings.evaluate).distributions == []


def write_features(settings: Settings, day: date, **columns: Any) -> None:
    table = pa.table({"customer_id": [f"c{row}" for row in range(200)], **columns})
    settings.lake.write_table(table, settings.lake.path("features", day=day, bucket="00") / "static.parquet")


def test_features_are_compared_with_the_published_night(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(timezone="UTC")
    generator, before = np.random.default_rng(3), DAY - timedelta(days=1)
    money, share = generator.exponential(50, 200), generator.uniform(0, 1, 200)
    usual = {"monetary_91d": money, "discount_share": share, "recency_days": np.full(200, 3.0)}
    write_features(settings, before, **usual)
    # a day later everybody's last order is a day longer ago: that is no drift
    write_features(settings, DAY, **usual | {"recency_days": np.full(200, 4.0)})
    found = feature_drift(settings.lake, DAY, before, settings.evaluate)
    assert broken([*found.nulls, *found.distributions]) == set()
    assert found.basis == f"the published night of {before}"
    lost = np.where(np.arange(200) % 2, share, np.nan)
    write_features(
        settings, DAY, **usual | {"monetary_91d": money / 100, "discount_share": pa.array(lost, from_pandas=True)}
    )
    found = feature_drift(settings.lake, DAY, before, settings.evaluate)
    assert broken(found.distributions) == {"monetary_91d"}
    assert broken(found.nulls) == {"discount_share"}


def test_features_of_a_first_night_are_not_judged(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(timezone="UTC")
    write_features(settings, DAY, monetary_91d=np.ones(200))
    for base_day in (None, DAY - timedelta(days=1), DAY - timedelta(days=40)):
        found = feature_drift(settings.lake, DAY, base_day, settings.evaluate)
        assert (found.nulls, found.distributions, found.basis) == ([], [], "")
