"""The figures of each segment, against sums worked out by hand.

Customer c<n> spent n.10 in 28 days in n orders and 10 n + 0.10 in a year in 2 n orders, at half price throughout;
only c2 sent goods back (half of its orders). c1 to c10 buy tea and cheese (3 : 1), the others cheese and wine.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from segmentation.errors import MissingInput

LABELS = {f"c{n}": 1 if n <= 10 else 2 for n in range(1, 21)} | {"x1": 0, "x2": 0}


def profile(nights: Any, segment: int, columns: str, day: int = 0) -> tuple[Any, ...]:
    rows = nights.rows(
        f"select {columns} from marts.segment_profiles where segment_id = {segment} and as_of = '{nights.day(day)}'"
    )
    assert len(rows) == 1
    return tuple(rows[0])


def test_money_and_orders_are_exact(nights: Any) -> None:
    nights.night(0, LABELS)
    columns = "customers, revenue_28d, orders_28d, revenue_365d, orders_365d, average_order_value"
    assert profile(nights, 1, columns) == (10, Decimal("56.00"), 55, Decimal("551.00"), 110, Decimal("5.01"))
    assert profile(nights, 2, columns) == (10, Decimal("156.00"), 155, Decimal("1551.00"), 310, Decimal("5.00"))
    assert profile(nights, 0, columns) == (2, Decimal("0.00"), 0, Decimal("0.00"), 0, None)
    assert nights.rows("select sum(customers), sum(share), sum(revenue_share_28d) from marts.segment_profiles") == [
        (22, pytest.approx(1), pytest.approx(1))
    ]


def test_habits(nights: Any) -> None:
    nights.night(0, LABELS)
    columns = "recency_days_median, days_between_orders_median, discount_share, returns_share, sessions_28d"
    # the gap of a customer with one order is unknown; two of 110 orders came back; the shop has no clickstream
    assert profile(nights, 1, columns) == (5.5, 6.0, 0.5, 2 / 110, None)
    assert profile(nights, 0, columns) == (None, None, None, None, None)
    assert profile(nights, 1, "distinctive") == (["orders often", "few discounts"],)


def test_categories_are_ranked_by_what_the_segment_buys_more_than_others(nights: Any) -> None:
    nights.night(0, LABELS)
    (tea, cheese), = (profile(nights, 1, "top_categories")[0],)  # fmt: skip
    assert (tea["category"], tea["share"], tea["buyers"]) == ("tea", 0.75, 10)
    assert tea["lift"] == round(0.75 / (0.75 * 551 / 2102), 2)
    assert (cheese["category"], cheese["share"]) == ("cheese", 0.25)
    assert [row["category"] for row in profile(nights, 2, "top_categories")[0]] == ["cheese", "wine"]
    assert profile(nights, 0, "top_categories") == ([],)


def test_a_category_with_few_buyers_is_left_out(nights: Any) -> None:
    nights.night(0, {**LABELS, "c1": 3, "c2": 3, "c3": 3, "c4": 3})
    assert profile(nights, 3, "top_categories, customers") == ([], 4)


def test_without_a_model_nothing_is_foreseen(nights: Any) -> None:
    nights.night(0, LABELS)
    assert profile(nights, 1, "expected_spend_28d, expected_churn_28d") == (None, None)


def test_what_the_model_foresees_is_averaged_over_the_customers(nights: Any) -> None:
    version = nights.write(0, LABELS)
    customers = [c for c in LABELS if c.startswith("c")]
    outlook = pa.table(
        {
            "customer_id": customers,
            "held_out": [False] * 20,
            "expected_spend": [float(c[1:]) for c in customers],
            "expected_orders": [1.0] * 20,
            "churn_probability": [0.25] * 20,
        }
    )
    nights.settings.lake.write_table(
        outlook, nights.settings.lake.path("outlook", day=nights.day(0)) / "outlook.parquet"
    )
    nights.publish(0, version)
    assert profile(nights, 1, "expected_spend_28d, expected_churn_28d") == (5.5, 0.25)
    assert profile(nights, 0, "expected_spend_28d, expected_churn_28d") == (None, None)


def test_transitions_count_every_customer_once(nights: Any) -> None:
    before = LABELS
    after = {**LABELS, "c1": 2, "c2": 2, "c30": 1, "x1": 1}
    del after["c20"]
    nights.night(0, before)
    nights.night(1, after, base=before)
    ways = "select from_segment_id, to_segment_id, customers, by_behaviour, compared_to from marts.segment_transitions "
    day = nights.day(0)
    assert nights.rows(ways + f"where as_of = '{nights.day(1)}' order by 1, 2") == [
        (-1, 1, 1, 0, day),
        (0, 0, 1, 0, day),
        (0, 1, 1, 1, day),
        (1, 1, 8, 0, day),
        (1, 2, 2, 2, day),
        (2, -1, 1, 0, day),
        (2, 2, 9, 0, day),
    ]
    # on the first night everybody is new
    assert nights.rows(ways + f"where as_of = '{day}' order by 1, 2") == [
        (-1, 0, 2, 0, None),
        (-1, 1, 10, 0, None),
        (-1, 2, 10, 0, None),
    ]


def test_a_day_without_features_is_named(nights: Any) -> None:
    nights.write(0, LABELS)
    nights.settings.lake.remove(nights.settings.lake.path("features", day=nights.day(0)))
    with pytest.raises(MissingInput, match="features for business day 2026-03-01 is not in the lake"):
        nights.publish(0)
