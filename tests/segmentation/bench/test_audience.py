"""`segmentation bench audience`: chances beside what came, on figures worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest

from segmentation.bench.audience import happened, judge, score_audience
from segmentation.config import Settings
from segmentation.encoder.interests import Interests
from segmentation.errors import MissingInput


def interests() -> Interests:
    """Four customers and two categories: the likeliest two for tea are a and b, for cheese c and d."""
    chances = np.array([[0.9, 0.1], [0.8, 0.1], [0.2, 0.9], [0.1, 0.9]])
    # the past points the other way for tea: c and d bought it before
    periods = np.array([[0, 0], [0, 0], [0b11, 1], [0b1, 1]])
    return Interests(("tea", "cheese"), np.array(["a", "b", "c", "d"], object), chances, periods)


def test_who_is_named_by_chance_by_past_and_by_orders() -> None:
    told = interests()
    future = pd.DataFrame({"customer_id": ["a", "b", "c", "z"], "category": ["tea", "tea", "cheese", "wine"]})
    bought = happened(told, future)
    assert bought.tolist() == [[True, False], [True, False], [False, True], [False, False]]
    scores = judge(told, bought, np.array([0.0, 5.0, 4.0, 0.0]), 2)
    tea, cheese, mean = scores.audiences.to_dict("records")
    assert (tea["shop"], tea["likelihood"], tea["past_buyers"], tea["busiest"], tea["lift"]) == (
        0.5,
        1.0,
        0.0,
        0.5,
        2.0,
    )
    assert (cheese["shop"], cheese["likelihood"], cheese["past_buyers"], cheese["busiest"]) == (0.25, 0.5, 0.5, 0.5)
    assert mean["likelihood"] == 0.75
    assert scores.calibration["pairs"].sum() == 8
    # eight pairs make eight groups; of the three pairs with a chance of 0.9 two came true
    assert scores.calibration["happened"].iloc[-3:].sum() == 2.0


def test_a_lake_that_does_not_reach_far_enough_is_named(make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(MissingInput, match=r"the 28 days after it .*run the days up to 2026-03-29"):
        score_audience(make_settings(), date(2026, 3, 1), 10)
