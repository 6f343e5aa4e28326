"""The number of segments follows what they foretell and how stable they are; nothing to find is an answer."""

from __future__ import annotations

import numpy as np
import pytest

from segmentation.clusters.choose_k import Future, choose_habit_weight, choose_k
from segmentation.config import ClusterSettings

SETTINGS = ClusterSettings(bootstraps=2, k_max=8)


def _world(types: int, seed: int, size: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """Make customers whose outlook lies on a circle by their type, and return their types too."""
    generator = np.random.default_rng(seed)
    of_customer = generator.integers(0, types, size)
    angle = 2 * np.pi * of_customer / types
    centres = 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return centres + generator.normal(0, 0.4, (size, 2)), of_customer


def _future(outlook: np.ndarray, of_customer: np.ndarray, seed: int, tells: bool = True) -> Future:
    generator = np.random.default_rng(seed)
    rate = 1.0 + 3.0 * (of_customer if tells else generator.permutation(of_customer))
    orders = generator.poisson(rate).astype(float)
    return Future(outlook, 20.0 * orders, orders, (orders > 0).astype(float), np.empty((len(orders), 0)))


@pytest.mark.parametrize("types", [3, 5, 6])
def test_finds_planted_types_by_their_future(types: int) -> None:
    values, of_customer = _world(types, seed=types)
    choice = choose_k(values, SETTINGS, _future(values, of_customer, seed=1))
    assert choice.chosen is not None
    assert abs(choice.chosen.k - types) <= 1
    assert "within 0.01 of the best" in choice.reason
    assert {candidate.k for candidate in choice.candidates} == set(range(3, 9))


def test_finds_planted_types_by_shape_without_a_future() -> None:
    values, _ = _world(4, seed=2)
    choice = choose_k(values, SETTINGS, None)
    assert choice.chosen is not None
    assert choice.chosen.k == 4
    assert "no matured future" in choice.reason


@pytest.mark.parametrize("with_future", [True, False], ids=["worthless future", "no future"])
def test_one_cloud_that_foretells_nothing_has_no_structure(with_future: bool) -> None:
    values = np.random.default_rng(3).normal(0, 1, (1_500, 4))
    future = _future(values, np.random.default_rng(4).integers(0, 3, 1_500), seed=5, tells=False)
    choice = choose_k(values, SETTINGS, future if with_future else None)
    assert choice.chosen is None
    assert choice.reason.startswith("no structure")


def test_separate_groups_count_although_their_orders_are_alike() -> None:
    values, of_customer = _world(4, seed=6)
    choice = choose_k(values, SETTINGS, _future(values, of_customer, seed=7, tells=False))
    assert choice.chosen is not None
    assert "separate groups" in choice.reason


def test_tiny_segments_are_refused_in_words() -> None:
    generator = np.random.default_rng(8)
    crowd, oddities = generator.normal(0, 0.5, (990, 2)), generator.normal(40, 0.1, (10, 2))
    choice = choose_k(np.concatenate([crowd, oddities]), SETTINGS, None)
    assert all("smallest segment 1.0% is under 2.0%" in c.refused for c in choice.candidates if c.k == 3)
    assert choice.chosen is None or choice.chosen.smallest_share >= 0.02


def test_last_nights_segments_are_kept_while_nothing_is_clearly_better() -> None:
    values, of_customer = _world(5, seed=9)
    future = _future(values, of_customer, seed=10)
    present = np.stack([values[of_customer == t].mean(axis=0) for t in range(5)])
    kept = choose_k(values, SETTINGS, future, present)
    assert kept.chosen is not None
    assert kept.chosen.name == "kmeans_kept"
    # two segments lumped together tell much less: then they are drawn anew
    lumped = np.stack([values[of_customer // 2 == t].mean(axis=0) for t in range(3)])
    redrawn = choose_k(values, SETTINGS, future, lumped)
    assert redrawn.chosen is not None
    assert redrawn.chosen.name != "kmeans_kept"


def test_same_inputs_same_choice() -> None:
    values, of_customer = _world(4, seed=11)
    one, other = (choose_k(values, SETTINGS, _future(values, of_customer, seed=1)) for _ in range(2))
    assert one.chosen is not None
    assert other.chosen is not None
    assert one.chosen.centroids.tobytes() == other.chosen.centroids.tobytes()
    assert one.reason == other.reason


def test_habits_that_tell_nothing_count_less_and_telling_ones_fully() -> None:
    generator = np.random.default_rng(12)
    rate = generator.uniform(0, 3, 800)
    habits = generator.normal(0, 1.0, (800, 3))
    orders = generator.poisson(np.exp(rate)).astype(float)
    columns = ["q_spend", "q_a", "q_b", "q_c"]
    values = np.column_stack([rate, habits])
    clicks = np.log1p(generator.poisson(np.exp(1 + habits)))
    worthless = Future(values, orders, orders, (orders > 0).astype(float), np.empty((800, 0)))
    telling = Future(values, generator.permutation(orders), generator.permutation(orders), np.ones(800), clicks)
    assert choose_habit_weight(values, columns, SETTINGS, worthless) < 1.0
    assert choose_habit_weight(values, columns, SETTINGS, telling) == 1.0
    assert choose_habit_weight(values, columns, SETTINGS, None) == 1.0
