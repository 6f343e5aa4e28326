"""Names and descriptions of tastes, from the categories that they buy more of than the shop.

A name is given once, at birth, and stays with the taste's id. Shapes: C named categories, K tastes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from segmentation.clusters.naming import LONGEST

#: Share in the taste over share in the shop from which a category is over-represented; below one over it, under-.
_LIFT = 1.15
#: A second category is named if it tells at least this much as compared with the first.
_BESIDE = 0.3
#: From this share on, the named categories are most of it.
_MOST = 0.5
_EVEN = "A bit of everything"


def taste_names(
    shares: NDArray[np.float64],
    usual: NDArray[np.float64],
    categories: Sequence[str],
    new: Sequence[int],
    taken: Collection[str],
) -> dict[int, str]:
    """Name the new tastes.

    Parameters
    ----------
    shares : (K, C) share of each category in each taste
    usual : (C,) share in the shop
    categories : C names
    new : indices of the tastes that need a name, in the order in which they get it
    taken : names that other tastes have or had

    Returns
    -------
    dict of int to str
        For each index a name of at most 60 characters that is not taken.

    Examples
    --------
    >>> shares, usual = np.array([[0.5, 0.4, 0.1], [0.1, 0.1, 0.8]]), np.array([0.2, 0.2, 0.6])
    >>> taste_names(shares, usual, ["PASTRY", "Coffee", "MEAT"], [0, 1], {"Mostly meat"})
    {0: 'Mostly pastry and coffee', 1: 'Mostly meat 2'}
    """
    used = set(taken)
    given: dict[int, str] = {}
    for taste in new:
        name = next(name for name in _proposals(shares[taste], usual, categories) if name not in used)
        used.add(name)
        given[taste] = name
    return given


def taste_distinctive(
    shares: NDArray[np.float64], usual: NDArray[np.float64], categories: Sequence[str], of_what: str, count: int = 3
) -> list[str]:
    """Say which categories set a taste apart from the shop: what they buy more of first, then what they pass over.

    Parameters
    ----------
    shares, usual : (C,) of the taste and of the shop
    categories : C names
    of_what : what the shares are shares of, in words
    count : categories told of each kind, at most; strongest first

    Examples
    --------
    >>> taste_distinctive(np.array([0.31, 0.2, 0.49]), np.array([0.07, 0.45, 0.48]), ["FUEL", "MEAT", "DELI"], "spend")
    ['much fuel: 31 % of spend, shop 7 %', 'little meat: 20 % of spend, shop 45 %']
    """
    told: dict[str, list[str]] = {"much": [], "little": []}
    scores = _scores(shares, usual)
    for c in np.argsort(-np.abs(scores), kind="stable").tolist():
        own, shop = _percent(shares[c]), _percent(usual[c])
        if own != shop and (shares[c] >= _LIFT * usual[c] or shares[c] * _LIFT <= usual[c]):
            word = "much" if shares[c] > usual[c] else "little"
            told[word].append(f"{word} {_plain(categories[c])}: {own} of {of_what}, shop {shop}")
    return told["much"][:count] + told["little"][:count] or ["close to the shop's usual in every category"]


def _proposals(shares: NDArray[np.float64], usual: NDArray[np.float64], categories: Sequence[str]) -> Iterator[str]:
    scores = _scores(shares, usual)
    over = [c for c in np.argsort(-scores, kind="stable").tolist() if shares[c] >= _LIFT * usual[c] and scores[c] > 0]
    beside = [c for c in over[1:] if scores[c] >= _BESIDE * scores[over[0]]]
    # two categories if both tell something; one, another pair, or three if that name is taken
    choices = [over[:1] + beside[:1], over[:1], *([over[0], c] for c in over[2:4]), over[:3]] if over else [[]]
    names = []
    for chosen in choices:
        words = [_plain(categories[c]) for c in chosen]
        listed = " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
        beginning = "Mostly" if shares[chosen].sum() >= _MOST else "Fond of"
        name = f"{beginning} {listed}" if chosen else _EVEN
        if len(name) <= LONGEST:
            names.append(name)
    yield from names
    first = names[0] if names else f"Fond of {_plain(categories[over[0]])}"
    number = 2 if names else 1
    while True:
        end = f" {number}" if number > 1 else ""
        yield first[: LONGEST - len(end)].rstrip() + end
        number += 1


def _scores(shares: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """How telling each category is, (C,), below 0 if under-represented: each one's part of the divergence."""
    own, shop = np.maximum(shares, 1e-9), np.maximum(usual, 1e-9)
    return np.round(np.sign(shares - usual) * (own * np.log(own / shop) - own + shop), 9)


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _plain(category: str) -> str:
    return " ".join(category.lower().split())
