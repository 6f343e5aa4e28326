"""A segment's rule finds the box that it is, reads well, and does not claim to know what it does not."""

from __future__ import annotations

import numpy as np
import pytest

from segmentation.clusters import rules
from segmentation.clusters.rules import NO_RULE, Condition

SIZE = 3_000


def _shop(seed: int = 1) -> dict[str, np.ndarray]:
    """Make figures that know nothing of each other."""
    generator = np.random.default_rng(seed)
    return {
        "expected_spend": np.exp(generator.normal(4.5, 1.0, SIZE)),
        "churn_probability": generator.uniform(0, 1, SIZE),
        "recency_days": np.floor(generator.exponential(30, SIZE)),
        "average_order_value": np.exp(generator.normal(3.0, 0.5, SIZE)),
        "discount_share": generator.uniform(0, 0.3, SIZE),
    }


def _codes(inside: np.ndarray) -> np.ndarray:
    return inside.astype(np.int64)


def test_boxes_are_found_with_ends_that_read_well() -> None:
    shop = _shop()
    inside = (shop["expected_spend"] >= 118) & (shop["recency_days"] <= 30) & (shop["discount_share"] < 0.2)
    other, rule = rules.find(shop, _codes(inside), 2)
    assert rule.fidelity is not None
    assert rule.fidelity >= 0.95
    assert min(rule.precision or 0, rule.recall or 0) >= 0.9
    assert sorted(rules.said(rule, "USD", 28)) == [
        "expected to spend at least 120 USD in the next 28 days",
        "gets less than 20 % off by discounts",
        "last ordered less than 30 days ago",
    ]
    # who is not in a box is in no box: the rule for the rest is worse, and says so
    assert other.fidelity is not None
    assert other.fidelity < rule.fidelity


def test_an_interval_is_one_condition() -> None:
    shop = _shop()
    spend, churn = shop["expected_spend"], shop["churn_probability"]
    inside = (spend >= 50) & (spend < 200) & (churn >= 0.2) & (churn < 0.5)
    rule = rules.find(shop, _codes(inside), 2)[1]
    assert rule.fidelity is not None
    assert rule.fidelity >= 0.95
    assert sorted(rules.said(rule, "$", 28)) == [
        "between 20 % and 50 % chance of no order in the next 28 days",
        "expected to spend between $50 and $200 in the next 28 days",
    ]


def test_four_planted_conditions_give_three() -> None:
    shop = _shop()
    inside = (
        (shop["expected_spend"] >= 50)
        & (shop["churn_probability"] < 0.6)
        & (shop["recency_days"] < 40)
        & (shop["average_order_value"] >= 15)
    )
    rule = rules.find(shop, _codes(inside), 2)[1]
    assert len(rule.conditions) == rules.MOST_CONDITIONS
    assert len({condition.feature for condition in rule.conditions}) == 3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_labels_that_have_nothing_to_do_with_the_figures_get_half(seed: int) -> None:
    codes = np.random.default_rng(100 + seed).integers(0, 4, SIZE)
    for rule in rules.find(_shop(seed), codes, 4):
        assert len(rule.conditions) <= rules.MOST_CONDITIONS
        assert rule.fidelity is None or abs(rule.fidelity - 0.5) < 0.06


def test_too_few_customers_get_no_rule() -> None:
    shop = _shop()
    codes = np.zeros(SIZE, dtype=np.int64)
    codes[: rules.FEWEST_CUSTOMERS - 1] = 1
    assert rules.find(shop, codes, 3) == [NO_RULE, NO_RULE, NO_RULE]
    assert rules.find(shop, np.zeros(SIZE, dtype=np.int64), 1) == [NO_RULE]


def test_a_small_segment_that_is_a_box_is_found() -> None:
    shop = _shop()
    lavish = np.argsort(-shop["average_order_value"])[:40]
    codes = np.zeros(SIZE, dtype=np.int64)
    codes[lavish] = 1
    rule = rules.find(shop, codes, 2)[1]
    assert rule.fidelity is not None
    assert rule.fidelity >= 0.95
    assert [condition.feature for condition in rule.conditions] == ["average_order_value"]


def test_constant_figures_and_no_figures_give_no_rule() -> None:
    codes = np.arange(SIZE) % 2
    assert rules.find({"recency_days": np.full(SIZE, 3.0)}, codes, 2) == [NO_RULE, NO_RULE]
    assert rules.find({"recency_days": np.full(SIZE, np.nan)}, codes, 2) == [NO_RULE, NO_RULE]
    assert rules.find({}, codes, 2) == [NO_RULE, NO_RULE]


def test_an_undefined_figure_meets_no_condition() -> None:
    shop = _shop()
    unknown = np.arange(SIZE) % 3 == 0
    gaps = np.where(unknown, np.nan, shop["recency_days"] + 1.0)
    inside = ~unknown & (gaps < 10)
    shop["gap_days_mean"] = gaps
    del shop["recency_days"]
    rule = rules.find(shop, _codes(inside), 2)[1]
    assert rule.fidelity is not None
    assert rule.fidelity >= 0.95
    assert not rules.holds(rule.conditions, shop, SIZE)[unknown].any()
    assert np.mean(rules.holds(rule.conditions, shop, SIZE) == inside) >= 0.98


def test_the_same_customers_have_the_same_rule() -> None:
    shop = _shop()
    codes = _codes(shop["expected_spend"] > 90)
    assert rules.find(shop, codes, 2) == rules.find({name: values.copy() for name, values in shop.items()}, codes, 2)


def test_more_customers_than_the_sample() -> None:
    size = rules.SAMPLE + 5_000
    orders = np.arange(size, dtype=float) % 40
    rule = rules.find({"frequency_91d": orders}, _codes((orders >= 5) & (orders <= 7)), 2)[1]
    assert rule.conditions == (Condition("frequency_91d", 5.0, 8.0, whole=True),)
    assert rule.fidelity == 1.0
    assert rules.said(rule, "USD", 28) == ["ordered between 5 and 7 times in 91 days"]


def test_short_traits_hold_no_figures() -> None:
    shop = _shop()
    inside = shop["expected_spend"] >= 300
    rule = rules.find(shop, _codes(inside), 2)[1]
    assert rules.traits(rule, shop, inside) == ["high spend ahead"]
    bought = shop["recency_days"] < 10
    assert rules.traits(rules.find(shop, _codes(bought), 2)[1], shop, bought) == ["just bought"]
