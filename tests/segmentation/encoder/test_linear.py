"""The wide path's closed form against scikit-learn, with unknown targets and in blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from segmentation.encoder.linear import solve_linear_heads


@pytest.fixture
def problem() -> tuple[np.ndarray, np.ndarray]:
    """300 customers, 4 features; a chance, an amount, and an amount known for half of them."""
    draws = np.random.default_rng(3)
    static = draws.normal(size=(300, 4)).astype(np.float32)
    chance = (draws.random(300) < 1 / (1 + np.exp(-2 * static[:, 0]))).astype(np.float32)
    amount = (static @ [1, -1, 0.5, 0] + 3 + draws.normal(size=300)).astype(np.float32)
    half = np.where(np.arange(300) % 2, amount * 2, np.nan)
    return static, np.stack([chance, amount, half], axis=1).astype(np.float32)


def test_it_is_ridge_and_logistic_regression(problem: tuple[np.ndarray, np.ndarray]) -> None:
    static, targets = problem

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for rows in np.array_split(np.arange(300), 3):
            yield static[rows], targets[rows]

    weights, intercepts = solve_linear_heads(blocks, 4, np.array([True, False, False]), 0.01)
    logistic = LogisticRegression(C=1 / 3.0, tol=1e-8).fit(static, targets[:, 0])
    np.testing.assert_allclose(weights[:, 0], logistic.coef_[0], atol=1e-3)
    np.testing.assert_allclose(intercepts[0], logistic.intercept_[0], atol=1e-3)
    for head, known in ((1, slice(None)), (2, slice(1, None, 2))):
        rows = targets[known, head]
        ridge = Ridge(alpha=0.01 * len(rows)).fit(static[known], rows)
        np.testing.assert_allclose(weights[:, head], ridge.coef_, atol=1e-3)
        np.testing.assert_allclose(intercepts[head], ridge.intercept_, atol=1e-3)


def test_a_head_that_nobody_has_stays_at_zero() -> None:
    nothing = np.full((10, 1), np.nan, np.float32)
    weights, intercepts = solve_linear_heads(
        lambda: iter([(np.ones((10, 2), np.float32), nothing)]), 2, np.array([False]), 0.01
    )
    assert not weights.any()
    assert not intercepts.any()
