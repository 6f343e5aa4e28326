"""A mixture finds long and tilted groups, gives the same bytes every time, and follows its customers."""

from __future__ import annotations

import numpy as np
import pytest

from segmentation.clusters import mixture
from segmentation.clusters.mixture import DIAGONAL, FULL


def _long(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    group = np.repeat([0, 1], [400, 200])
    values = generator.normal(0, 1, (600, 2)) * [3.0, 0.3]
    values[:, 1] += 2.0 * group
    return values, group


@pytest.mark.parametrize("covariance", [DIAGONAL, FULL])
def test_finds_long_groups_and_gives_the_same_bytes(covariance: str) -> None:
    values, group = _long()
    one, other = (mixture.fit(values, 2, covariance, seed=3) for _ in range(2))
    labels = one.distances(values).argmin(axis=1)
    assert max((labels == group).mean(), (labels != group).mean()) > 0.99
    assert one.covariances.tobytes() == other.covariances.tobytes()
    assert one.means.tobytes() == other.means.tobytes()
    assert sorted(np.round(one.weights, 1)) == [0.3, 0.7]


def test_distance_is_minus_the_log_of_a_probability() -> None:
    values, _ = _long()
    away = mixture.fit(values, 2, FULL, seed=1).distances(values)
    assert (away >= 0).all()
    np.testing.assert_allclose(np.exp(-away).sum(axis=1), 1.0, atol=1e-5)


def test_refit_keeps_the_order_of_the_groups() -> None:
    values, group = _long()
    again = mixture.refit(values + 0.2, 1 - group, 2, FULL, steps=3)
    assert (again.distances(values + 0.2).argmin(axis=1) == 1 - group).mean() > 0.99
    assert again.taken(np.array([1, 0])).means.tolist() == again.means[::-1].tolist()


def test_equal_customers_and_a_constant_column_do_no_harm() -> None:
    values = np.column_stack([np.repeat([0.0, 1.0], 50), np.zeros(100)])
    assert np.isfinite(mixture.fit(values, 2, FULL, seed=1).distances(values)).all()


def test_bic_prefers_the_planted_number() -> None:
    values, _ = _long()
    found = [mixture.bic(values, mixture.fit(values, k, FULL, seed=1)) for k in (1, 2, 3)]
    assert found.index(min(found)) == 1
