"""Names of new segments, from what sets them apart: "Weekly big baskets, few discounts".

A segment like the shop in what it did is named by its rule: "Weekly buyers, above-average spend ahead".
A name is given once, at birth, and stays with the segment's id however the figures drift.
Shapes: K segments, F features.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from segmentation.clusters import wording
from segmentation.clusters.traits import Traits, strongest

LONGEST = 60
#: Robust z by which a segment must differ from the shop for a trait to get into its name.
_NOTABLE = 0.3
#: A segment's typical last order is so many times its usual gap ago: it has stopped, or is slowing down.
_LAPSED, _SLOWING = 4.0, 2.0
#: Days since the first order up to which a segment's customers are new.
_NEW_DAYS = 35.0
_CADENCES = ((2.0, "Daily"), (10.0, "Weekly"), (18.0, "Fortnightly"), (45.0, "Monthly"), (120.0, "Occasional"))
#: An order value this many times the shop's, or less than one over it, makes baskets big or small.
_BASKET = 1.25
# told by the first words of the name already, or by nothing that a name should hold
_NOT_TRAITS = ("gap_days_mean", "recency_days", "tenure_days", "average_order_value")


def names(
    traits: Traits,
    away: NDArray[np.float64],
    medians: NDArray[np.float64],
    new: Sequence[int],
    taken: Collection[str],
    ruled: Mapping[int, Sequence[str]] | None = None,
) -> dict[int, str]:
    """Name the new segments.

    Parameters
    ----------
    traits : of all customers
    away : (K, F) how far each segment is from the shop, robust z
    medians : (K, F) each segment's median of every feature
    new : indices of the segments that need a name, in the order in which they get it
    taken : names that other segments have or had
    ruled : short traits of the segments' rules, told where a segment's own traits do not suffice

    Returns
    -------
    dict of int to str
        For each index a name of at most 60 characters that is not taken. The next distinguishing trait is added
        while another segment has the name, at the very last a roman numeral.
    """
    used = set(taken)
    given: dict[int, str] = {}
    for segment in new:
        more = (ruled or {}).get(segment, ())
        name = next(name for name in _proposals(traits, away[segment], medians[segment], more) if name not in used)
        used.add(name)
        given[segment] = name
    return given


def _proposals(
    traits: Traits, away: NDArray[np.float64], medians: NDArray[np.float64], ruled: Sequence[str]
) -> Iterator[str]:
    head = _head(traits, medians)
    told = list(dict.fromkeys((*_traits(traits, away), *ruled)))
    name = head
    for trait in told[:1]:
        name = _joined(name, trait)
    yield name
    for trait in told[1:]:
        # one trait instead of the other first, since short names are better remembered; then one more
        yield _joined(head, trait)
        name = _joined(name, trait)
        yield name
    numeral = 2
    while True:
        end = f" {_roman(numeral)}"
        yield name[: LONGEST - len(end)].rstrip(" ,") + end
        numeral += 1


def _head(traits: Traits, medians: NDArray[np.float64]) -> str:
    """Cadence and basket: the words that a name begins with."""
    figures = dict(zip(traits.features, medians.tolist(), strict=True))
    shop = dict(zip(traits.features, traits.medians.tolist(), strict=True))
    gap, recency = figures.get("gap_days_mean", np.nan), figures.get("recency_days", np.nan)
    value, usual = figures.get("average_order_value", np.nan), shop.get("average_order_value", np.nan)
    basket = "buyers"
    if np.isfinite(value) and value >= _BASKET * usual:
        basket = "big baskets"
    elif np.isfinite(value) and value * _BASKET <= usual:
        basket = "small baskets"
    rhythm = next((word for limit, word in _CADENCES if gap <= limit), "Rare")
    if not np.isfinite(gap):
        # most have ordered once only and have no rhythm, but the others of the segment may have come again
        rhythm = "New" if figures.get("tenure_days", np.inf) <= _NEW_DAYS else "Once-or-twice"
    elif recency > _LAPSED * gap and recency > shop.get("recency_days", 0.0):
        rhythm = f"Lapsed {rhythm.lower()}"
    elif recency > _SLOWING * gap and recency > shop.get("recency_days", 0.0):
        rhythm = f"Slowing {rhythm.lower()}"
    return f"{rhythm} {basket}"


def _traits(traits: Traits, away: NDArray[np.float64]) -> list[str]:
    ranked = strongest(away, traits.families, len(away))
    told = [
        wording.trait(traits.features[f], away[f] > 0)
        for f in ranked
        if abs(away[f]) >= _NOTABLE and traits.features[f] not in _NOT_TRAITS
    ]
    return list(dict.fromkeys(trait for trait in told if trait))


def _joined(name: str, trait: str) -> str:
    longer = f"{name}, {trait}"
    return longer if len(longer) <= LONGEST else name


def _roman(number: int) -> str:
    """Write a small number in roman numerals.

    Examples
    --------
    >>> [_roman(n) for n in (2, 4, 9, 14)]
    ['II', 'IV', 'IX', 'XIV']
    """
    written = ""
    for value, sign in ((10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")):
        while number >= value:
            written += sign
            number -= value
    return written


def distinctive(
    traits: Traits,
    away: NDArray[np.float64],
    medians: NDArray[np.float64],
    averages: NDArray[np.float64],
    currency: str,
    count: int = 5,
) -> list[str]:
    """Say what a segment differs in most from the shop, strongest first.

    Parameters
    ----------
    traits : of all customers
    away : (F,) how far the segment is from the shop, robust z
    medians, averages : (F,) the segment's median and mean of every feature
    currency : sign or code beside amounts
    count : features told, at most
    """
    told = []
    with np.errstate(invalid="ignore"):
        shop_averages = np.nanmean(traits.figures, axis=0) if len(traits.features) else np.empty(0)
    for f in strongest(away, traits.families, count):
        name, high = traits.features[f], bool(away[f] > 0)
        if abs(away[f]) < _NOTABLE:
            continue
        # what most customers never do has the same median everywhere: then the mean tells the difference
        pairs = ((medians[f], traits.medians[f], False), (averages[f], shop_averages[f], True))
        for segment, shop, average in pairs:
            differs = np.isfinite(segment) and (segment > shop if high else segment < shop)
            if differs and wording.figure(name, segment) != wording.figure(name, shop):
                told.append(wording.distinctive(name, float(segment), float(shop), high, currency, average=average))
                break
    return told or ["close to the shop's usual in everything"]


def description(traits: Traits, medians: NDArray[np.float64], distinct: Sequence[str], currency: str) -> str:
    """Describe a segment in one sentence with figures.

    Parameters
    ----------
    traits : of all customers
    medians : (F,) the segment's median of every feature
    distinct : from `distinctive`
    currency : sign or code beside amounts
    """
    figures = dict(zip(traits.features, medians.tolist(), strict=True))
    usual = [
        wording.said(name, figures[name], currency)
        for name in ("gap_days_mean", "recency_days", "average_order_value", "monetary_91d")
        if np.isfinite(figures.get(name, np.nan))
    ]
    typical = f"Typically {', '.join(usual)}" if usual else "Like the whole shop"
    return f"{typical}; {distinct[0]}."
