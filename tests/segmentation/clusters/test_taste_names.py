"""Names of tastes: what is bought more than elsewhere, never one name for two."""

from __future__ import annotations

import numpy as np

from segmentation.clusters.naming import LONGEST
from segmentation.clusters.taste_names import taste_distinctive, taste_names

CATEGORIES = ["GROCERY", "PASTRY", "COFFEE", "Garden & Home"]
USUAL = np.array([0.6, 0.1, 0.1, 0.2])


def _name(shares: list[float], taken: tuple[str, ...] = ()) -> str:
    return taste_names(np.array([shares]), USUAL, CATEGORIES, [0], taken)[0]


def test_over_represented_categories_make_the_name() -> None:
    assert _name([0.3, 0.3, 0.3, 0.1]) == "Mostly pastry and coffee"
    assert _name([0.5, 0.1, 0.1, 0.3]) == "Fond of garden & home"
    assert _name([0.9, 0.05, 0.05, 0.0]) == "Mostly grocery"
    assert _name(USUAL.tolist()) == "A bit of everything"


def test_no_name_is_given_twice() -> None:
    shares = np.array([[0.3, 0.3, 0.3, 0.1]] * 6)
    given = taste_names(shares, USUAL, CATEGORIES, range(6), ["A bit of everything"])
    assert len(set(given.values())) == 6
    assert given[0] == "Mostly pastry and coffee"
    assert _name(USUAL.tolist(), ("A bit of everything",)) == "A bit of everything 2"


def test_names_are_short_whatever_the_categories_are_called() -> None:
    long = ["x" * 90, "y" * 90]
    given = taste_names(np.array([[0.9, 0.1]] * 3), np.array([0.5, 0.5]), long, range(3), [])
    assert len(set(given.values())) == 3
    assert max(map(len, given.values())) <= LONGEST


def test_what_differs_is_told_with_its_figure_beside_the_shops() -> None:
    told = taste_distinctive(np.array([0.3, 0.5, 0.1, 0.1]), USUAL, CATEGORIES, "spend")
    assert told[0] == "much pastry: 50 % of spend, shop 10 %"
    assert told[1] == "little grocery: 30 % of spend, shop 60 %"
    assert taste_distinctive(USUAL, USUAL, CATEGORIES, "spend") == ["close to the shop's usual in every category"]
