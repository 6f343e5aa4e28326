"""Customers move only to a clearly nearer segment."""

from __future__ import annotations

import numpy as np

from segmentation.clusters.hysteresis import NONE, hold


def test_without_margin_everybody_goes_to_the_nearest() -> None:
    away = np.array([[1.0, 0.99], [0.5, 2.0]])
    assert hold(away, np.array([0, 1]), margin=0.0).tolist() == [1, 0]


def test_whoever_wavers_on_the_border_stays() -> None:
    generator = np.random.default_rng(1)
    held = np.zeros(500, dtype=np.int64)
    for _ in range(10):
        away = np.column_stack([np.ones(500), generator.uniform(0.91, 1.1, 500)])
        held = hold(away, held, margin=0.10)
    assert not held.any()


def test_new_customers_and_those_of_an_ended_segment_go_to_the_nearest() -> None:
    assert hold(np.array([[1.0, 0.99]]), np.array([NONE]), margin=0.5).tolist() == [1]
