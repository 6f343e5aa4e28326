"""How far customers and segments are from the shop's usual, feature by feature, and that in words.

Shapes: B customers, F features, K segments, M families of features.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segmentation.clusters import wording
from segmentation.features.definitions import BY_NAME

#: A robust z beyond this is not more telling.
_LIMIT = 4.0
#: Robust z under which a customer counts as usual.
_USUAL = 0.3
#: Least spread of a feature: a z of 1 is at least this much in logarithms (28 %), or in shares (3 %).
_SMALLEST_FACTOR, _SMALLEST_SHARE = 0.25, 0.03
#: Standard deviations of a normal distribution per median absolute deviation.
_SD_PER_MAD = 1.4826
_BLOCK = 100_000
# said in two ways, but one matter: told once
_SAME_MATTER = {
    "campaign_click_share": "campaign_open_share",
    "coupons_redeemed": "coupon_share",
    "gap_days_mean": "frequency",
    "items_per_order": "average_order_value",
    "search_order_share": "search_session_share",
    "searches": "search_session_share",
}


@dataclass(frozen=True)
class Traits:
    """The features that can tell customers apart, on one scale.

    Attributes
    ----------
    features : F names; constant ones and those nearly nobody has are left out
    families : for each feature, the index of its family: windows of one quantity, and two
        ways to say one thing, are one family
    figures : (B, F) as they are, NaN = undefined
    scores : (B, F) robust z against the shop, clipped; 0 where undefined
    medians : (F,) of the shop
    one_valued : (F,) whether more than half of the customers share one value, such as no coupon
    """

    features: tuple[str, ...]
    families: NDArray[np.int64]
    figures: NDArray[np.float64]
    scores: NDArray[np.float64]
    medians: NDArray[np.float64]
    one_valued: NDArray[np.bool_]


def measure(static: pd.DataFrame, shop: pd.DataFrame | None = None) -> Traits:
    """Put the static features on one scale.

    Parameters
    ----------
    static : B rows, numeric columns beside ``customer_id``
    shop : customers who say what is usual in the shop, same columns; None = the same B

    Returns
    -------
    Traits
        Amounts, counts and durations are compared as logarithms, since they differ by factors.
    """
    shop = static if shop is None else shop
    kept, columns, scores, medians, one_valued = [], [], [], [], []
    for name in wording.told_features(shop.columns):
        logarithmic = BY_NAME[name].transform == "log1p"
        values, scale = _figures(static, name, logarithmic)
        usual, there = (values, scale) if shop is static else _figures(shop, name, logarithmic)
        known = np.isfinite(usual)
        if known.mean() < 0.05 or np.ptp(usual[known]) == 0:
            continue
        usual, there = usual[known], there[known]
        centre = np.median(there)
        deviation = _SD_PER_MAD * float(np.median(np.abs(there - centre)))
        # with more than half alike the deviation of all has to do; and no difference is told that is small in itself
        spread = deviation if deviation > 1e-9 else float(there.std())
        spread = max(spread, _SMALLEST_FACTOR if logarithmic else _SMALLEST_SHARE)
        kept.append(name)
        columns.append(values)
        scores.append(np.where(np.isfinite(values), np.clip((scale - centre) / spread, -_LIMIT, _LIMIT), 0.0))
        medians.append(float(np.median(usual)))
        one_valued.append(deviation <= 1e-9)
    stems = [_SAME_MATTER.get(stem, stem) for stem in (re.sub(r"_\d+d$", "", name) for name in kept)]
    order = {stem: index for index, stem in enumerate(dict.fromkeys(stems))}
    return Traits(
        features=tuple(kept),
        families=np.array([order[stem] for stem in stems], dtype=np.int64),
        figures=_side_by_side(columns, len(static)),
        scores=_side_by_side(scores, len(static)),
        medians=np.array(medians),
        one_valued=np.array(one_valued, dtype=bool),
    )


def _figures(static: pd.DataFrame, name: str, logarithmic: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a feature as it is and on the scale that it is compared on, (B,) each; NaN = unknown."""
    values = static[name].to_numpy(dtype=float, na_value=np.nan)
    return values, np.log1p(np.maximum(values, 0.0)) if logarithmic else values


def _side_by_side(columns: list[NDArray[np.float64]], rows: int) -> NDArray[np.float64]:
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0))


def of_segments(traits: Traits, codes: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return how far each segment is from the shop's usual, (K, F), in robust z.

    The median customer's score; for what most customers never do, where all medians are alike, the mean
    score minus the shop's. 0 where the segment's mean figure does not differ from the shop's the same way: a
    median of 0 makes any habit look like a trait.

    Parameters
    ----------
    traits : of B customers
    codes : (B,) segment 0..K-1
    k : K
    """
    found = np.zeros((k, len(traits.features)))
    overall = traits.scores.mean(axis=0)
    for segment in range(k):
        rows = traits.scores[codes == segment]
        if len(rows):
            found[segment] = np.where(traits.one_valued, rows.mean(axis=0) - overall, np.median(rows, axis=0))
    everybody = segment_averages(traits, np.zeros_like(codes), 1)
    opposed = np.sign(segment_averages(traits, codes, k) - everybody) * np.sign(found) < 0
    return np.where(opposed, 0.0, found)


def segment_medians(traits: Traits, codes: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return each segment's median of every feature, (K, F); NaN where more than half have none."""
    found = np.full((k, len(traits.features)), np.nan)
    for segment in range(k):
        rows = traits.figures[codes == segment]
        if not len(rows):
            continue
        known = np.isfinite(rows).mean(axis=0) >= 0.5
        found[segment, known] = np.nanmedian(rows[:, known], axis=0)
    return found


def segment_averages(traits: Traits, codes: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return each segment's mean of every feature over the customers who have it, (K, F); NaN for nobody."""
    found = np.full((k, len(traits.features)), np.nan)
    for f in range(len(traits.features)):
        known = np.isfinite(traits.figures[:, f])
        counts = np.bincount(codes[known], minlength=k)
        sums = np.bincount(codes[known], weights=traits.figures[known, f], minlength=k)
        found[counts > 0, f] = sums[counts > 0] / counts[counts > 0]
    return found


def strongest(scores: NDArray[np.float64], families: NDArray[np.int64], count: int) -> list[int]:
    """Return the indices of the ``count`` features with the largest absolute score, one of a family.

    Examples
    --------
    >>> strongest(np.array([0.5, -2.0, 1.5, 0.1]), np.array([0, 1, 1, 2]), count=2)
    [1, 0]
    """
    taken: list[int] = []
    for f in np.argsort(-np.abs(scores), kind="stable"):
        if len(taken) == count:
            break
        if families[f] not in families[taken]:
            taken.append(int(f))
    return taken


def reasons(
    traits: Traits, codes: NDArray[np.int64], segments: NDArray[np.float64], currency: str, count: int = 3
) -> list[list[str]]:
    """Say for every customer what sets them apart from the shop, in the direction of their segment first.

    Parameters
    ----------
    traits : of B customers
    codes : (B,) segment 0..K-1
    segments : (K, F) from `of_segments`
    currency : sign or code beside amounts
    count : features told, at most

    Returns
    -------
    list of B lists of sentences, strongest first; empty for a customer who is usual in everything
    """
    if not traits.features:
        return [[] for _ in range(len(codes))]
    told: list[list[str]] = []
    for start in range(0, len(codes), _BLOCK):
        part = slice(start, start + _BLOCK)
        chosen = _most_telling(traits.scores[part], segments[codes[part]], traits.families, count)
        told.extend(_sentences(traits, part, chosen, currency))
    return told


def _most_telling(
    scores: NDArray[np.float64], direction: NDArray[np.float64], families: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Choose ``count`` features for each customer, (B, count); -1 = nothing more to tell."""
    # a trait shared with the segment explains the label, so any of these goes before the customer's own oddities
    shared = scores * direction > 0
    telling = np.where(shared, 100.0 + np.abs(scores) * (0.1 + np.abs(direction)), np.abs(scores))
    telling = np.where(np.abs(scores) < _USUAL, 0.0, telling)
    groups = [np.flatnonzero(families == family) for family in range(int(families.max()) + 1)]
    best = np.stack([group[telling[:, group].argmax(axis=1)] for group in groups], axis=1)
    worth = np.take_along_axis(telling, best, axis=1)
    order = np.argsort(-worth, axis=1, kind="stable")[:, :count]
    ranked = np.take_along_axis(best, order, axis=1)
    return np.where(np.take_along_axis(worth, order, axis=1) > 0, ranked, -1).astype(np.int64)


def _sentences(traits: Traits, part: slice, chosen: NDArray[np.int64], currency: str) -> list[list[str]]:
    said = np.full(chosen.shape, None, dtype=object)
    figures = traits.figures[part]
    for f, name in enumerate(traits.features):
        rows, ranks = np.nonzero(chosen == f)
        if not len(rows):
            continue
        # many customers share a figure: each sentence is made once
        different, which = np.unique(figures[rows, f], return_inverse=True)
        made = [wording.reason(name, value, traits.medians[f], currency) for value in different.tolist()]
        said[rows, ranks] = np.array(made, dtype=object)[which]
    return [[sentence for sentence in row if sentence is not None] for row in said.tolist()]
