"""A segment beside the shop: figures that follow exactly from the segments', small segments left out."""

from __future__ import annotations

import pytest

from segmentation.pages.night import shown
from segmentation.pages.segment_view import compare, shop_figures

from .conftest import LAST, profile


def test_the_shops_figures_follow_from_the_segments() -> None:
    large, other = profile(LAST, 1, 60), profile(LAST, 2, 20)
    other |= {"discount_share": 0.5, "revenue_365d": 4000, "orders_365d": 200, "expected_spend_28d": 9.0}
    figures = shop_figures({row["segment_id"]: row for row in shown([large, other, profile(LAST, 3, 9)])})
    assert figures["revenue_per_customer_28d"] == pytest.approx(3000 / 80)
    assert figures["average_order_value"] == pytest.approx(16000 / 800)
    # 12,000 paid after 10 % off, 4,000 after 50 % off
    assert figures["discount_share"] == pytest.approx((12000 / 9 + 4000) / (12000 / 9 + 4000 + 16000))
    assert figures["expected_spend_28d"] == pytest.approx((60 * 33 + 20 * 9) / 80)
    assert "sessions_per_customer_28d" not in figures


def test_the_profiles_own_ratio_counts_before_ours() -> None:
    row = profile(LAST, 1, 60) | {"versus_shop": {"recency_days_median": 0.5, "revenue_28d": 3.0}}
    figures = {figure["measure"]: figure for figure in compare(row, {"revenue_per_customer_28d": 100.0})}
    assert figures["Days since the last order (median)"]["shop"] == pytest.approx(8)
    assert figures["Revenue per customer, 28 days"]["ratio"] == 3.0
    assert "Visits per customer, 28 days" not in figures
