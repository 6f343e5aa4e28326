"""The estimate against figures of another implementation, and against the definition of what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from segmentation.campaigns.uplift import (
    Moments,
    always_valid_quantile,
    estimate_uplift,
    sample_ratio_p,
    slope,
)

# 800 treated and 200 others, as sums of cents; tea-tasting 1.14.0 (Mean with covariate, Welch) gives 2.6865 and
# (0.6732, 4.6998) for the same customers. Its slope is fitted to both groups as one, ours within the groups.
TREATED = Moments.of_cents(800, 1846113, 1543595, 7748004449, 8409101561, 6682473550)
CONTROL = Moments.of_cents(200, 397349, 367973, 1505287377, 1725523403, 1383532240)


def test_the_estimate_agrees_with_an_independent_implementation() -> None:
    estimate = estimate_uplift(TREATED, CONTROL)
    assert estimate is not None
    assert estimate.value == pytest.approx(2.6865, abs=0.002)
    assert estimate.interval(0.05) == pytest.approx((0.6732, 4.6998), abs=0.002)


def test_what_was_spent_before_narrows_the_interval_and_corrects_the_difference() -> None:
    plain = estimate_uplift(
        *(Moments(g.customers, g.outcome, 0.0, g.outcome_variance, 0.0, 0.0) for g in (TREATED, CONTROL))
    )
    adjusted = estimate_uplift(TREATED, CONTROL)
    assert plain is not None
    assert adjusted is not None
    assert adjusted.error < 0.7 * plain.error
    theta = slope((TREATED, CONTROL))
    assert plain.value - adjusted.value == pytest.approx(theta * (TREATED.covariate - CONTROL.covariate))


def test_moments_of_whole_cents_are_exact() -> None:
    rng = np.random.default_rng(5)
    y, x = rng.integers(0, 10**7, 1000), rng.integers(0, 10**7, 1000)
    made = Moments.of_cents(1000, *(int(v) for v in (y.sum(), x.sum(), (y * y).sum(), (x * x).sum(), (x * y).sum())))
    spread = np.cov(y / 100, x / 100)
    assert made.outcome == pytest.approx(y.mean() / 100)
    assert (made.outcome_variance, made.covariance) == pytest.approx((spread[0, 0], spread[0, 1]))


def test_nothing_is_estimated_from_nothing() -> None:
    nobody_spent = Moments(50, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert estimate_uplift(nobody_spent, nobody_spent) is None
    assert estimate_uplift(Moments(1, 5.0, 1.0, 0.0, 0.0, 0.0), TREATED) is None


def test_a_random_walk_seldom_leaves_the_always_valid_bound() -> None:
    days, walks = 42, 20_000
    rng = np.random.default_rng(3)
    z = np.cumsum(rng.standard_normal((walks, days)), axis=1) / np.sqrt(np.arange(1, days + 1))
    bound = np.array([always_valid_quantile(0.05, (day + 1) / days) for day in range(days)])
    left = float((np.abs(z) > bound).any(axis=1).mean())
    looked_at_nightly = float((np.abs(z) > norm.isf(0.025)).any(axis=1).mean())
    assert left < 0.05
    assert looked_at_nightly > 0.25, "without the correction one A/A test in four would be called a success"


def test_groups_of_the_wrong_size_are_noticed() -> None:
    assert sample_ratio_p(9500, 500, 0.05) == pytest.approx(1)
    assert sample_ratio_p(9000, 500, 0.05) > 0.001 > sample_ratio_p(8000, 600, 0.05)
    assert sample_ratio_p(0, 0, 0.05) == 1.0
