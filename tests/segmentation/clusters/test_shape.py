"""Separation and path silhouette see cuts through crowds, whatever the shape of the groups."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from segmentation.clusters import kmeans, shape


def _rings() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    ring = np.arange(600) % 2
    angle = generator.uniform(0, 2 * np.pi, 600)
    radius = 1.0 + 1.5 * ring + generator.normal(0, 0.08, 600)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), ring


def test_rings_are_better_parted_than_their_slices() -> None:
    values, ring = _rings()
    seen = shape.look(values, seed=1)
    slices = kmeans.nearest(values, kmeans.fit(values, 4, seed=1))
    assert shape.silhouette(seen, slices) > shape.silhouette(seen, ring)
    assert shape.path_silhouette(seen, ring) > 0.5 > 0.1 > shape.path_silhouette(seen, slices)
    assert shape.separation(seen, ring) == pytest.approx(1.0)
    assert shape.separation(seen, slices) < 0.99


def test_silhouette_is_the_usual_one() -> None:
    values, ring = _rings()
    assert shape.silhouette(shape.look(values, 1), ring) == pytest.approx(silhouette_score(values, ring))
    alone = np.where(np.arange(600) == 0, 7, ring)
    assert shape.silhouette(shape.look(values, 1), alone) == pytest.approx(silhouette_score(values, alone))


def test_random_labels_are_not_separate_and_one_group_has_no_figure() -> None:
    values, _ = _rings()
    seen = shape.look(values, seed=1)
    labels = np.random.default_rng(2).integers(0, 3, 600)
    assert abs(shape.separation(seen, labels)) < 0.05
    assert np.isnan(shape.separation(seen, np.zeros(600, dtype=np.int64)))
    assert np.isnan(shape.path_silhouette(seen, np.zeros(600, dtype=np.int64)))


def test_customers_in_the_same_place_are_neighbours() -> None:
    seen = shape.look(np.repeat([[0.0, 0.0], [5.0, 5.0]], 30, axis=0), seed=1)
    assert shape.separation(seen, np.repeat([0, 1], 30)) == pytest.approx(1.0)


def test_at_most_so_many_are_judged() -> None:
    assert len(shape.look(np.random.default_rng(1).normal(size=(3_000, 2)), seed=1).judged) == shape.JUDGED
