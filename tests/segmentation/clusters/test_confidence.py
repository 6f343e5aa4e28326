"""Confidence is 1 on the centroid, 0 on the border."""

from __future__ import annotations

import numpy as np

from segmentation.clusters.confidence import margin


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
