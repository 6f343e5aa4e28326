"""What sets a customer apart is told with figures, the segment's direction first, nothing twice."""

from __future__ import annotations

import numpy as np
import pandas as pd

from segmentation.clusters import traits


def _shop(size: int = 200) -> pd.DataFrame:
    generator = np.random.default_rng(1)
    orders = generator.integers(3, 8, size).astype(float)
    return pd.DataFrame(
        {
            "customer_id": [f"c{i:04d}" for i in range(size)],
            "recency_days": generator.uniform(3, 9, size),
            "frequency_28d": np.ceil(orders / 3),
            "frequency_91d": orders,
            "average_order_value": generator.uniform(20, 30, size),
            "discount_share": generator.uniform(0.05, 0.15, size),
            "tenure_days": 100.0,
        }
    )


def test_reason_names_the_figure_and_the_shops_median() -> None:
    shop = _shop()
    shop.loc[0, ["frequency_91d", "frequency_28d"]] = [40.0, 5.0]
    measured = traits.measure(shop)
    codes = np.array([0] + [1] * 199)
    told = traits.reasons(measured, codes, traits.of_segments(measured, codes, 2), "$")
    assert told[0][0] == "ordered 40 times in 91 days, shop median 5"
    # 28 and 91 days are one matter
    assert sum("ordered" in sentence and "times" in sentence for sentence in told[0]) == 1
    assert all(len(sentences) <= 3 for sentences in told)


def test_traits_shared_with_the_segment_come_first() -> None:
    shop = _shop()
    shop.loc[:19, "discount_share"] = 0.40
    shop.loc[0, "average_order_value"] = 500.0
    measured = traits.measure(shop)
    codes = np.array([0] * 20 + [1] * 180)
    told = traits.reasons(measured, codes, traits.of_segments(measured, codes, 2), "$")
    assert told[0][0] == "gets 40 % off by discounts, shop median 11 %"
    assert "pays $500 an order, shop median $24.78" in told[0]


def test_constant_unknown_and_unlisted_features_are_not_told() -> None:
    shop = _shop().assign(gap_days_mean=np.nan, orders_trend_28d=np.arange(200.0))
    assert set(traits.measure(shop).features).isdisjoint({"tenure_days", "gap_days_mean", "orders_trend_28d"})


def test_a_single_customer_has_nothing_to_differ_from() -> None:
    measured = traits.measure(_shop(1))
    assert measured.features == ()
    assert traits.reasons(measured, np.zeros(1, dtype=np.int64), np.empty((1, 0)), "$") == [[]]


def test_what_few_do_is_told_of_the_segment_that_does_it() -> None:
    shop = _shop().assign(coupons_redeemed_365d=0.0)
    shop.loc[:9, "coupons_redeemed_365d"] = 6.0
    measured = traits.measure(shop)
    away = traits.of_segments(measured, np.array([0] * 10 + [1] * 190), 2)
    coupons = measured.features.index("coupons_redeemed_365d")
    assert away[0, coupons] > 1.0 > abs(away[1, coupons])
