"""The night after a search, each algorithm finds its segments again from last night's labels alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from segmentation.clusters import density, kmeans, mixture
from segmentation.clusters.fitted import Fitted, nearest, refit


def _values(seed: int = 1) -> np.ndarray:
    generator = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 1.0], [0.0, 4.0, -1.0]])[np.arange(900) % 3]
    return centres + generator.normal(0, 1, (900, 3)) * [1.0, 0.5, 0.3]


def _found(algorithm: str, values: np.ndarray) -> Fitted:
    if algorithm == "kmeans":
        return kmeans.Centroids(kmeans.fit(values, 3, seed=1))
    if algorithm == "gmm":
        return mixture.fit(values, 3, mixture.FULL, seed=1)
    found = density.fit_dbscan(values, 10, 0.7, 0.02) if algorithm == "dbscan" else density.fit_hdbscan(values, 15, 0.1)
    assert found is not None
    return found


@pytest.mark.parametrize("algorithm", ["kmeans", "gmm", "dbscan", "hdbscan"])
def test_slightly_moved_customers_keep_their_segment(algorithm: str) -> None:
    values = _values()
    fitted = _found(algorithm, values)
    before = nearest(fitted, values)
    assert fitted.algorithm == algorithm
    tonight = 1.5 * values + np.random.default_rng(2).normal(0, 0.02, values.shape) + 7.0
    again = refit(tonight, before, fitted.k, algorithm, fitted.parameters, seed=1)
    assert (nearest(again, tonight) == before).mean() >= 0.99
    assert again.algorithm == algorithm
    assert again.parameters == fitted.parameters
    # customers who were not there before have a segment too
    unknown = before.copy()
    unknown[::10] = -1
    partly = refit(tonight, unknown, fitted.k, algorithm, fitted.parameters, seed=1)
    assert (nearest(partly, tonight) == before).mean() >= 0.98


@pytest.mark.parametrize("algorithm", ["kmeans", "gmm", "dbscan", "hdbscan"])
def test_distances_are_not_negative_and_follow_a_new_order(algorithm: str) -> None:
    values = _values()
    fitted = _found(algorithm, values)
    away = fitted.distances(values)
    assert away.shape == (900, fitted.k)
    assert (away >= 0).all()
    turned = fitted.taken(np.arange(fitted.k)[::-1])
    np.testing.assert_allclose(turned.distances(values) - turned.distances(values).min(axis=1, keepdims=True),
                               away[:, ::-1] - away.min(axis=1, keepdims=True), atol=1e-5)  # fmt: skip
    assert fitted.centroids.shape == (fitted.k, 3)


def test_an_unknown_algorithm_is_named() -> None:
    nothing: Mapping[str, float | str] = {}
    with pytest.raises(ValueError, match="'ward' is none of kmeans, gmm"):
        refit(_values(), np.zeros(900, dtype=np.int64), 1, "ward", nothing, seed=1)
