"""Names come from the data, are unique and short."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from segmentation.clusters import naming, traits


def _segments(*kinds: dict[str, float], size: int = 50) -> tuple[pd.DataFrame, np.ndarray]:
    """Make a shop of ``size`` customers of each kind, and who is of which."""
    generator = np.random.default_rng(2)
    frames = [
        pd.DataFrame({name: value * generator.uniform(0.95, 1.05, size) for name, value in kind.items()})
        for kind in kinds
    ]
    return pd.concat(frames, ignore_index=True), np.repeat(np.arange(len(kinds)), size)


def _named(shop: pd.DataFrame, codes: np.ndarray, taken: set[str] | None = None) -> list[str]:
    k = int(codes.max()) + 1
    measured = traits.measure(shop)
    away, medians = traits.of_segments(measured, codes, k), traits.segment_medians(measured, codes, k)
    given = naming.names(measured, away, medians, range(k), taken or set())
    return [given[segment] for segment in range(k)]


FIGURES = ("gap_days_mean", "recency_days", "average_order_value", "discount_share", "tenure_days")
WEEKLY = dict(zip(FIGURES, (7.0, 4.0, 80.0, 0.02, 300.0), strict=True))
MONTHLY = dict(zip(FIGURES, (30.0, 15.0, 30.0, 0.10, 300.0), strict=True))
LAPSED = dict(zip(FIGURES, (8.0, 90.0, 31.0, 0.10, 300.0), strict=True))


def test_names_tell_rhythm_basket_and_the_strongest_trait() -> None:
    names = _named(*_segments(WEEKLY, MONTHLY, LAPSED))
    assert names[0] == "Weekly big baskets, few discounts"
    assert names[1].startswith("Monthly")
    assert names[2].startswith("Lapsed weekly")


def test_segments_that_look_alike_still_get_different_short_names() -> None:
    names = _named(*_segments(*[WEEKLY] * 6, *[MONTHLY] * 6))
    assert len(set(names)) == 12
    assert max(map(len, names)) <= naming.LONGEST
    assert names == _named(*_segments(*[WEEKLY] * 6, *[MONTHLY] * 6))


def test_a_segment_that_did_what_the_shop_does_is_named_by_its_rule() -> None:
    shop, codes = _segments(MONTHLY, MONTHLY)
    measured = traits.measure(shop)
    away, medians = traits.of_segments(measured, codes, 2), traits.segment_medians(measured, codes, 2)
    ruled = {0: ["high spend ahead"], 1: ["high spend ahead", "at risk"]}
    names = naming.names(measured, np.zeros_like(away), medians, range(2), set(), ruled)
    assert names == {0: "Monthly buyers, high spend ahead", 1: "Monthly buyers, at risk"}


def test_a_name_once_given_is_not_given_again() -> None:
    shop, codes = _segments(WEEKLY, MONTHLY)
    first = _named(shop, codes)
    assert not set(first) & set(_named(shop, codes, taken=set(first)))


def test_customers_with_one_order_have_no_rhythm_yet() -> None:
    new = {"recency_days": 5.0, "tenure_days": 5.0, "average_order_value": 30.0}
    once = {"recency_days": 200.0, "tenure_days": 200.0, "average_order_value": 30.0}
    names = _named(*_segments(new, once, MONTHLY))
    assert names[0].startswith("New")
    assert names[1].startswith("Once-or-twice")


def test_description_and_distinctive_hold_figures() -> None:
    shop, codes = _segments(WEEKLY, MONTHLY, MONTHLY)
    measured = traits.measure(shop)
    away, medians = traits.of_segments(measured, codes, 3), traits.segment_medians(measured, codes, 3)
    told = naming.distinctive(measured, away[0], medians[0], traits.segment_averages(measured, codes, 3)[0], "€")
    assert any(
        re.match(r"big baskets: pays €(79|80|81)[.]?\d* an order, shop median €3\d[.]?\d*$", line) for line in told
    )
    sentence = naming.description(measured, medians[0], told, "€")
    assert sentence.startswith("Typically orders every 7 days")
    assert sentence.endswith(".")
