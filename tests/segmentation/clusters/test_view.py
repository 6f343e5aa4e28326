"""What customers are grouped by: types where there are types, else value with as much of the habits as pays."""

from __future__ import annotations

import numpy as np
import pytest

from segmentation.clusters.choose import Future
from segmentation.clusters.view import HABIT_WEIGHTS, View, choose_view
from segmentation.config import ClusterSettings
from segmentation.encoder.heads import MANNERS

SETTINGS = ClusterSettings(bootstraps=2, k_max=6, seed=5)
VALUE = ("q_spend", "q_orders")
HOW = MANNERS[:4]
COLUMNS = (*VALUE, *HOW)


def _crowd(types: int, seed: int, spread: float = 0.35) -> np.ndarray:
    """900 customers, the values of two columns and four manners: types differ in manner, value varies within each."""
    generator = np.random.default_rng(seed)
    middles = np.array([[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 2]], float)[:types]
    kind = generator.integers(0, types, 900)
    value = generator.gamma(2.0, 1.0, (900, 1)) * np.array([1.0, 0.9]) + generator.normal(0, 0.1, (900, 2))
    return np.column_stack([value, middles[kind] + generator.normal(0, spread, (900, 4))])


def _choose(values: np.ndarray, future: Future | None = None, present: View | None = None) -> tuple[View, str]:
    return choose_view(values, COLUMNS, np.ones(len(COLUMNS)), SETTINGS, future, present)


@pytest.mark.parametrize("types", [3, 4])
def test_types_that_lie_apart_are_seen_whatever_their_customers_are_worth(types: int) -> None:
    view, told = _choose(_crowd(types, seed=types))
    assert view.manners
    assert f"of {types} groups by manner" in told


def test_one_population_has_no_types() -> None:
    view, told = _choose(_crowd(1, seed=3))
    assert view == View(manners=False, habit_weight=1.0)
    assert told.startswith("no types by how customers order and visit (silhouette")


def test_a_column_of_two_kinds_is_no_type() -> None:
    """Some customers get campaigns and some do not: that alone makes no types of customers."""
    generator = np.random.default_rng(4)
    values = _crowd(1, seed=4)
    values[:, 2] = np.where(generator.random(900) < 0.4, 3.0, 0.0) + generator.normal(0, 0.2, 900)
    assert not _choose(values)[0].manners


def test_types_are_kept_while_they_are_still_to_be_seen() -> None:
    faint = _crowd(4, seed=6, spread=0.75)
    assert not _choose(faint)[0].manners
    assert _choose(faint, present=View(manners=True))[0].manners


def test_too_few_manners_to_look_for_types() -> None:
    columns = (*VALUE, *HOW[:2])
    view, told = choose_view(_crowd(3, seed=1)[:, :4], columns, np.ones(4), SETTINGS, None, None)
    assert not view.manners
    assert "2 columns of manner are too few" in told


def test_habits_that_tell_nothing_count_less_and_telling_ones_fully() -> None:
    generator = np.random.default_rng(12)
    rate = generator.uniform(0, 3, 800)
    habits = generator.normal(0, 1.0, (800, 3))
    orders = generator.poisson(np.exp(rate)).astype(float)
    columns = ["q_spend", "q_a", "q_b", "q_c"]
    values = np.column_stack([rate, habits])
    clicks = np.log1p(generator.poisson(np.exp(1 + habits)))
    all_apart = np.ones(800, dtype=bool)
    worthless = Future(values, orders, orders, (orders > 0).astype(float), np.empty((800, 0)), all_apart)
    telling = Future(
        values, generator.permutation(orders), generator.permutation(orders), np.ones(800), clicks, all_apart
    )
    weights = [
        choose_view(values, columns, np.ones(4), SETTINGS, future)[0].habit_weight
        for future in (worthless, telling, None)
    ]
    assert weights[0] in HABIT_WEIGHTS[1:]
    assert weights[1:] == [1.0, 1.0]
