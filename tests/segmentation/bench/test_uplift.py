"""The simulation that the figures in docs/FIGURES.md come from, smaller and with a fixed seed."""

from __future__ import annotations

import numpy as np
import pytest

from segmentation.bench.uplift import CAMPAIGN_DAYS, KINDS, expected_spend, score_intervals, simulate_spend


def test_simulated_spend_is_zero_for_most_has_a_long_tail_and_the_planted_lift() -> None:
    rng = np.random.default_rng(8)
    before, daily = simulate_spend(rng, np.full(60_000, 0.3), 28, CAMPAIGN_DAYS + 14)
    during, after = daily[:, :CAMPAIGN_DAYS].sum(axis=1), daily[:, CAMPAIGN_DAYS:].sum(axis=1)
    assert (before == 0).mean() > 0.5
    assert np.quantile(before, 0.99) > 8 * before.mean()
    assert before.mean() == pytest.approx(expected_spend(), rel=0.05)
    assert during.mean() == pytest.approx(1.3 * expected_spend(), rel=0.05)
    assert after.mean() == pytest.approx(expected_spend() / 2, rel=0.05)
    # who bought much goes on buying: that is what the adjustment by earlier spend lives on
    assert np.corrcoef(before, during)[0, 1] > 0.5


def test_intervals_cover_the_truth_and_idle_campaigns_are_not_called_successes() -> None:
    scores = score_intervals(60, seed=20170101).set_index("campaign")
    idle = scores[[kind.lift == 0 for kind in KINDS]]
    # 60 campaigns of each kind: two standard deviations of the share are 6 points
    assert scores["final covers"].between(89, 100).all()
    assert 93 <= scores["final covers"].mean() <= 97
    assert (scores["all nights cover"] >= 93).all()
    assert idle["proven"].mean() <= 5
    assert scores.loc["30 % more orders, half left alone", "proven"] > 75
    assert scores.loc["30 % fewer orders, half left alone", "harmful"] > 75
    assert (scores["half width, final"] < scores["half width, any night"]).all()
