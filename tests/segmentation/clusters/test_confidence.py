"""Confidence: the margin is 1 on the centroid and 0 on the border; calibrated, it is how often resamples agree."""

from __future__ import annotations

import numpy as np

from segmentation.clusters import kmeans
from segmentation.clusters.confidence import agreement, calibrated, margin, reliability
from segmentation.clusters.fitted import nearest
from segmentation.clusters.kmeans import Centroids


def test_falls_from_centroid_to_border() -> None:
    position = np.linspace(0, 0.5, 6)
    away = np.column_stack([position, 1 - position])
    found = margin(away, np.zeros(6, dtype=np.int64))
    assert found[0] == 1.0
    assert found[-1] == 0.0
    assert (np.diff(found) < 0).all()


def test_two_segments_in_one_place_and_a_single_segment() -> None:
    assert margin(np.zeros((2, 2)), np.zeros(2, dtype=np.int64)).tolist() == [0.0, 0.0]
    assert margin(np.ones((2, 1)), np.zeros(2, dtype=np.int64)).tolist() == [1.0, 1.0]


def test_confidence_is_how_often_resamples_agree() -> None:
    """Two wide, overlapping crowds: whoever stands between them may be in the other one on another draw."""
    generator = np.random.default_rng(5)
    values = np.concatenate([generator.normal(at, 1.0, (1_500, 2)) for at in (0.0, 2.5)])
    fitted = Centroids(kmeans.fit(values, 2, seed=1))
    chosen = nearest(fitted, values)
    margins = margin(fitted.distances(values), chosen)
    found = calibrated(margins, *agreement(values, fitted, chosen, 10, seed=1))
    rows, agree = agreement(values, fitted, chosen, 20, seed=2)
    assert found.min() < 0.8
    assert found[margins > 0.5].min() > 0.99
    for low, high, customers, said, true in reliability(found[rows], agree, np.array([0, 0.6, 0.8, 0.95, 1.0])):
        assert customers < 20 or abs(said - true) < 0.05, (low, high, customers, said, true)


def test_a_segment_that_is_not_found_again_is_not_sure() -> None:
    """One crowd cut in five by K-means: the next draw cuts elsewhere."""
    values = np.random.default_rng(6).normal(0, 1, (800, 6))
    fitted = Centroids(kmeans.fit(values, 5, seed=1))
    chosen = nearest(fitted, values)
    found = calibrated(margin(fitted.distances(values), chosen), *agreement(values, fitted, chosen, 5, seed=1))
    assert found.mean() < 0.9
