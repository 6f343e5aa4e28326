"""Thompson's split: more to what works, never nothing, and only differences within a campaign count."""

from __future__ import annotations

import pytest
from scipy.stats import norm

from segmentation.bench.uplift import score_allocation
from segmentation.campaigns.allocation import chances_best, measure_arms, propose_shares
from segmentation.campaigns.uplift import Moments


def test_the_chance_of_being_best_is_that_of_the_normal_law() -> None:
    chances = chances_best([{"a": (10.0, 3.0), "b": (13.0, 4.0)}], ["a", "b"], seed=4)
    assert chances["b"] == pytest.approx(norm.cdf(3 / 5), abs=0.01)
    assert sum(chances.values()) == pytest.approx(1)


def test_a_good_season_is_no_merit_of_an_action() -> None:
    poor = {"a": (10.0, 1.0), "b": (11.0, 1.0)}
    # at Christmas all spend 100 more: only that b is 1 ahead again counts
    rich = {"a": (110.0, 1.0), "b": (111.0, 1.0)}
    both = chances_best([poor, rich], ["a", "b"], seed=4)
    assert both["b"] == pytest.approx(norm.cdf(2**0.5 / 2**0.5), abs=0.01)
    # a campaign of one of them alone tells nothing about which is better
    assert chances_best([poor, {"a": (500.0, 1.0)}], ["a", "b"], seed=4) == pytest.approx(
        chances_best([poor], ["a", "b"], seed=4), abs=0.01
    )


def test_the_same_results_give_the_same_split() -> None:
    wave = {"a": (10.0, 1.0), "b": (10.5, 1.0), "c": (9.0, 2.0)}
    assert chances_best([wave], ["a", "b", "c"], 1) == chances_best([wave], ["a", "b", "c"], 1)


@pytest.mark.parametrize("floor", [0.0, 0.1, 0.5])
def test_shares_sum_to_one_and_keep_the_floor(floor: float) -> None:
    shares = propose_shares({"a": 1.0, "b": 0.0, "c": 0.0}, floor)
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) >= min(floor, 0.333)


def test_an_arm_of_few_or_without_spend_proposes_nothing() -> None:
    some, few = Moments(50, 10.0, 8.0, 4.0, 4.0, 2.0), Moments(9, 10.0, 8.0, 4.0, 4.0, 2.0)
    assert measure_arms({"a": some, "b": few}) is None
    assert measure_arms({"a": some, "b": Moments(50, 0.0, 8.0, 0.0, 0.0, 0.0)}) is None
    assert measure_arms({}) is None


def test_learning_loses_less_than_equal_shares() -> None:
    scores = score_allocation(10, seed=11).set_index("allocation")
    assert scores.loc["Thompson", "regret"] < 0.7 * scores.loc["uniform", "regret"]
    assert scores.loc["Thompson", "best action in last wave"] > 60
