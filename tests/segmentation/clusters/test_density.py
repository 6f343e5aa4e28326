"""Density algorithms find groups of any shape; noise goes to the nearest group, and references stay few."""

from __future__ import annotations

import numpy as np

from segmentation.clusters import density


def _rings(seed: int = 1, size: int = 800) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    ring = np.arange(size) % 2
    angle = generator.uniform(0, 2 * np.pi, size)
    radius = 1.0 + 1.5 * ring + generator.normal(0, 0.08, size)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), ring


def _agrees(labels: np.ndarray, truth: np.ndarray) -> float:
    return float(max((labels == truth).mean(), (labels != truth).mean()))


def test_both_find_rings() -> None:
    values, ring = _rings()
    for found in (density.fit_dbscan(values, 10, 0.95, 0.02), density.fit_hdbscan(values, 5, 0.1)):
        assert found is not None
        assert found.k == 2
        assert _agrees(found.distances(values).argmin(axis=1), ring) == 1.0


def test_one_crowd_is_one_group_and_no_crowd_none() -> None:
    crowd = np.random.default_rng(1).normal(0, 1, (500, 2))
    found = density.fit_dbscan(crowd, 10, 0.95, 0.02)
    assert found is not None
    assert found.k == 1
    assert density.fit_dbscan(np.ones((50, 2)), 5, 0.9, 0.02) is None
    assert density.fit_hdbscan(crowd[:10], 15, 0.1) is None


def test_crumbs_are_noise_and_noise_goes_to_the_nearest_group() -> None:
    values, ring = _rings()
    crumb = np.full((8, 2), 9.0) + np.random.default_rng(2).normal(0, 0.01, (8, 2))
    found = density.fit_dbscan(np.concatenate([values, crumb]), 5, 0.99, 0.02)
    assert found is not None
    assert found.k == 2
    assert found.noise_share >= 8 / 808
    nearest = found.distances(crumb).argmin(axis=1)
    outer = found.distances(values[ring == 1]).argmin(axis=1)[0]
    assert (nearest == outer).all()


def test_references_are_bounded_and_a_refit_needs_the_labels_alone() -> None:
    values, ring = _rings(size=4_000)
    again = density.refit(values, ring, density.DBSCAN, {"min_samples": 10}, seed=1)
    assert len(again.values) == density.REFERENCES
    assert (again.distances(values).argmin(axis=1) == ring).all()
    assert again.taken(np.array([1, 0])).distances(values).argmin(axis=1).tolist() == (1 - ring).tolist()
    other = density.refit(values, ring, density.DBSCAN, {"min_samples": 10}, seed=1)
    assert again.distances(values).tobytes() == other.distances(values).tobytes()


def test_a_tiny_group_keeps_references() -> None:
    values, ring = _rings(size=4_000)
    labels = np.where(np.arange(4_000) < 2, 2, ring)
    assert density.refit(values, labels, density.HDBSCAN, {}, seed=1).k == 3
