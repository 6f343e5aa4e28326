"""The second segmentation: customers by what they buy and look at, whatever they are worth.

Value and taste are different questions, and one label cannot answer both. Tastes have ids, names and a history of
their own; they need no encoder, only categories. Shapes: B customers, C named categories, K tastes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segmentation.clusters import hysteresis, identity, kmeans
from segmentation.clusters.fitted import REFIT_STEPS
from segmentation.clusters.inputs import read_cutoffs, read_static
from segmentation.clusters.segmentation_file import ACTIVE, RETIRED, Segment, Segmentation
from segmentation.clusters.taste_names import taste_distinctive, taste_names
from segmentation.clusters.taste_space import Liking, read_liking, read_next_spend
from segmentation.config import Settings
from segmentation.evaluate.usefulness import category_bits

logger = logging.getLogger(__name__)

#: Most tastes that a person can keep apart.
MOST_TASTES = 10
#: Customers with a taste under which none are looked for.
MINIMUM_CUSTOMERS = 60
#: Bits under which tastes tell nothing of what will be bought.
MINIMUM_BITS = 0.01
#: The fewest tastes are chosen that tell this share of what the best number of them tells.
WITHIN = 0.9
#: More tastes than the fewest are kept from the night before if they tell this many times as much.
_EARNS = 1.01
_KEPT = "taste_kept"


@dataclass(frozen=True)
class Tastes:
    """One night's tastes.

    Attributes
    ----------
    ids : taste of each customer who has one, by customer id
    tastes : every taste that ever was
    next_taste_id : first number never used
    reason : why there are so many, or none, in words
    searched_on : day of the newest search (ISO); None = never
    categories : the C categories that they are told apart by
    lifecycle : rows of kind (born, retired, split, merged), segment_id, others
    candidates : the table that tonight's search chose from
    """

    ids: pd.Series
    tastes: list[Segment]
    next_taste_id: int
    reason: str
    searched_on: str | None
    categories: list[str] = field(default_factory=list)
    lifecycle: list[dict[str, Any]] = field(default_factory=list)
    candidates: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Grouping:
    """Tonight's tastes before they have an identity: no centroids = there are none, and ``reason`` says why."""

    centroids: NDArray[np.float64] | None
    reason: str
    searched_on: str | None
    candidates: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    """One number of tastes, and how it did; NaN = could not be measured."""

    name: str
    centroids: NDArray[np.float64]
    bits: float
    smallest_share: float
    refused: str

    def row(self) -> dict[str, Any]:
        """Return the figures for the JSON and `ops.metrics`; None where NaN."""
        return {
            "name": self.name,
            "k": len(self.centroids),
            "category_bits": None if math.isnan(self.bits) else round(self.bits, 4),
            "smallest_share": round(self.smallest_share, 4),
            "refused": self.refused,
        }


def group_by_taste(
    settings: Settings,
    day: date,
    static: pd.DataFrame,
    before: Segmentation | None,
    held: pd.Series,
    search: bool = False,
) -> Tastes:
    """Give every customer who bought or looked at something a taste.

    Parameters
    ----------
    settings : Settings
        All settings.
    day : date
        Business day; its features must be in the lake.
    static : DataFrame
        Static features of the day.
    before : Segmentation or None
        Last published night; its tastes go on.
    held : Series
        That night's taste of each customer, by customer id; nobody is in it on the first night.
    search : bool
        Search the number of tastes although it is not due.

    Returns
    -------
    Tastes
        None active for a shop without categories, with the reason.

    Raises
    ------
    MissingInput
        If a search is due and the features step has not run for the day.
    """
    liking = read_liking(settings.lake, day, static)
    last = held.reindex(liking.customers).fillna(hysteresis.NONE).to_numpy(dtype=np.int64)
    grouping = _group(settings, day, liking, before, last, search)
    logger.info("%s: tastes: %s", day, grouping.reason)
    active = [taste.segment_id for taste in before.active_tastes] if before else []
    next_id = before.next_taste_id if before else 1
    if grouping.centroids is None:
        found = identity.Identity(np.empty(0, dtype=np.int64), (), tuple(active), {}, (), next_id)
        changes = [identity.Change("retired", taste, ()) for taste in active]
        chosen = np.empty(0, dtype=np.int64)
        liking = replace(liking, customers=liking.customers[:0], amounts=liking.amounts[:0])
    else:
        grouping, found = _identify(grouping.centroids, grouping, liking, last, active, next_id)
        changes = list(found.changes)
        chosen = _settle(settings, grouping.centroids, liking, found, last)
    return Tastes(
        ids=pd.Series(found.ids[chosen], pd.Index(liking.customers), dtype="Int32"),
        tastes=_describe(day, liking, grouping, found, chosen, before),
        next_taste_id=found.next_segment_id,
        reason=grouping.reason,
        searched_on=grouping.searched_on,
        categories=list(liking.categories) if grouping.centroids is not None else [],
        lifecycle=[{"kind": c.kind, "segment_id": c.segment_id, "others": list(c.others)} for c in changes],
        candidates=grouping.candidates,
    )


def tastes_at_cutoff(settings: Settings, day: date, segmentation: Segmentation, cutoff: date) -> pd.Series:
    """Return the taste that each customer would have had at a cut-off, by tonight's centroids and customer id.

    Parameters
    ----------
    settings : Settings
        All settings.
    day : date
        Business day.
    segmentation : Segmentation
        Tonight's, with at least one active taste.
    cutoff : date
        One of the day's cut-offs.

    Raises
    ------
    MissingInput
        If a later run has removed the day's windows.
    """
    static = read_static(settings.lake, day, cutoff)
    past = read_liking(settings.lake, day, static, cutoff, segmentation.taste_categories)
    active = segmentation.active_tastes
    nearest = kmeans.nearest(past.points, np.array([taste.centroid for taste in active], dtype=float))
    return pd.Series(np.array([taste.segment_id for taste in active])[nearest], pd.Index(past.customers))


def _group(
    settings: Settings,
    day: date,
    liking: Liking,
    before: Segmentation | None,
    last: NDArray[np.int64],
    search: bool,
) -> _Grouping:
    """Choose between last night's tastes refitted, a search, and none."""
    known_on = before.taste_searched_on if before else None
    if len(liking.categories) < 2:
        only = f"everything bought is in one category ({liking.categories[0]})" if liking.categories else ""
        return _Grouping(None, f"no tastes: {only or 'the shop has no product categories'}", None)
    if len(liking.customers) < MINIMUM_CUSTOMERS:
        few = f"{len(liking.customers)} customers who bought in a category are too few (at least {MINIMUM_CUSTOMERS})"
        return _Grouping(None, f"no tastes: {few}", None)
    present = _present(liking, before, last)
    due = "a search was asked for" if search else _why_search(settings, day, liking, before, present)
    if due is None and before is not None:
        if present is None:
            return _Grouping(None, before.taste_reason, known_on)
        return _Grouping(present, f"refitted from {before.business_day}; the last search was on {known_on}", known_on)
    cutoff = next(iter(read_cutoffs(settings.lake, day)), None)
    candidates = _candidates(settings, day, liking, present, cutoff) if cutoff else []
    judged = [candidate for candidate in candidates if math.isfinite(candidate.bits)]
    if not judged:
        young = "no horizon has matured yet to judge them by"
        if present is not None:
            return _Grouping(present, f"refitted: {due}, but {young}", known_on)
        return _Grouping(None, f"no tastes: {young}", None)
    return _choose(day, judged, f"searched ({due})", cutoff)


def _present(liking: Liking, before: Segmentation | None, last: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Return last night's tastes in tonight's space, (K, C + 1); None if there were none or too few are left."""
    if before is None:
        return None
    ids = [taste.segment_id for taste in before.active_tastes if (last == taste.segment_id).any()]
    if len(ids) < 2:
        return None
    # the categories may be others than last night; the customers carry the taste over
    known = np.isin(last, ids)
    codes = np.searchsorted(ids, last[known])
    nobody = np.zeros((len(ids), liking.amounts.shape[1]))
    start = kmeans.means(liking.points[known], codes, nobody, liking.weights[known])
    return kmeans.refit(liking.points, start, REFIT_STEPS, liking.weights)


def _why_search(
    settings: Settings,
    day: date,
    liking: Liking,
    before: Segmentation | None,
    present: NDArray[np.float64] | None,
) -> str | None:
    """Say why the number of tastes has to be searched tonight; None if it has not."""
    if before is None:
        return "there is no published night before"
    if before.taste_searched_on is None:
        return "there were no tastes before"
    age = (day - date.fromisoformat(before.taste_searched_on)).days
    if age >= settings.clusters.search_every_days:
        return f"the last one was {age} days ago"
    if present is None:
        return "last night's tastes have no customers left" if before.active_tastes else None
    smallest = _smallest_share(liking, present)
    if smallest < settings.clusters.minimum_share:
        return f"a taste has shrunk to {smallest:.1%} of the customers"
    return None


def _candidates(
    settings: Settings, day: date, liking: Liking, present: NDArray[np.float64] | None, cutoff: date
) -> list[_Candidate]:
    """Fit each number of tastes on tonight's customers, and judge it by what was bought after the cut-off.

    The customers are judged as they were at the cut-off, by what they had bought until then.
    """
    limits = settings.clusters
    static = read_static(settings.lake, day, cutoff)
    past = read_liking(settings.lake, day, static, cutoff, liking.categories)
    future = read_next_spend(settings.lake, day, cutoff, past.customers)
    rows = kmeans.sample_rows(len(liking.customers), limits.sample, limits.seed)
    sample, weights = liking.points[rows], liking.weights[rows]
    fitted = {
        f"taste_k={k}": kmeans.refit(
            liking.points, kmeans.fit(sample, k, limits.seed, weights=weights), REFIT_STEPS, liking.weights
        )
        for k in range(limits.k_min, min(limits.k_max, MOST_TASTES) + 1)
    }
    if present is not None:
        fitted[_KEPT] = present
    found = []
    for name, centroids in fitted.items():
        share = _smallest_share(liking, centroids)
        refused = ""
        if share < limits.minimum_share:
            refused = f"smallest taste {share:.1%} is under {limits.minimum_share:.1%}"
        bits = category_bits(kmeans.nearest(past.points, centroids), future, limits.seed)
        found.append(_Candidate(name, centroids, bits, share, refused))
    return found


def _choose(day: date, judged: Sequence[_Candidate], searched: str, cutoff: date | None) -> _Grouping:
    """Choose the fewest tastes within tolerance of the best, or those there were if these are within it."""
    table = [candidate.row() for candidate in judged]
    logger.info("%s: candidates for tastes\n%s", day, pd.DataFrame(table).to_string(index=False))
    allowed = [candidate for candidate in judged if not candidate.refused]
    if not allowed:
        told = "; ".join(f"{c.name.removeprefix('taste_')}: {c.refused}" for c in judged)
        return _Grouping(None, f"no tastes: {searched}: no number of them is allowed ({told})", day.isoformat(), table)
    best = max(allowed, key=lambda c: (round(c.bits, 6), -len(c.centroids)))
    if best.bits < MINIMUM_BITS:
        nothing = f"they would tell only {best.bits:.3f} bits of the category that is bought next"
        return _Grouping(None, f"no tastes: {searched}: {nothing}", day.isoformat(), table)
    within = [candidate for candidate in allowed if candidate.bits >= WITHIN * best.bits]
    chosen = fewest = min(within, key=lambda c: (len(c.centroids), c.name == _KEPT, -round(c.bits, 6)))
    for candidate in within:
        # a new drawing moves customers; but two tastes that have become one are not kept apart
        more = len(candidate.centroids) > len(fewest.centroids)
        if candidate.name == _KEPT and (not more or candidate.bits >= _EARNS * fewest.bits):
            chosen = candidate
    k = len(chosen.centroids)
    why = f"the {k} tastes of the night before are kept" if chosen.name == _KEPT else f"the fewest tastes ({k})"
    reason = (
        f"{searched}: {why}: they tell {chosen.bits:.3f} bits of the category of the spend after {cutoff}, "
        f"at least {WITHIN:.0%} of the best ({best.bits:.3f} with {len(best.centroids)}); "
        f"smallest taste {chosen.smallest_share:.1%}"
    )
    return _Grouping(chosen.centroids, reason, day.isoformat(), table)


def _identify(
    centroids: NDArray[np.float64],
    grouping: _Grouping,
    liking: Liking,
    last: NDArray[np.int64],
    active: Sequence[int],
    next_id: int,
) -> tuple[_Grouping, identity.Identity]:
    """Give tonight's tastes their ids, and put the centroids in the order of these."""
    codes = kmeans.nearest(liking.points, centroids)
    counts = np.bincount(codes, minlength=len(centroids))
    # one that nobody is nearest to ends; new ids go to the largest first
    order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
    place = np.full(len(centroids), -1, dtype=np.int64)
    place[order] = np.arange(len(order))
    found = identity.match(place[codes], last, len(order), active, next_id)
    by_id = np.argsort(found.ids)
    return replace(grouping, centroids=centroids[order][by_id]), replace(found, ids=found.ids[by_id])


def _settle(
    settings: Settings,
    centroids: NDArray[np.float64] | None,
    liking: Liking,
    found: identity.Identity,
    last: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the index of each customer's taste, (B,), after hysteresis."""
    away = kmeans.distances(liking.points, np.empty((0, 0)) if centroids is None else centroids)
    place = np.searchsorted(found.ids, last).clip(max=len(found.ids) - 1)
    own = np.where(found.ids[place] == last, place, hysteresis.NONE)
    return hysteresis.hold(away, own, settings.clusters.hysteresis)


def _describe(
    day: date,
    liking: Liking,
    grouping: _Grouping,
    found: identity.Identity,
    chosen: NDArray[np.int64],
    before: Segmentation | None,
) -> list[Segment]:
    """Return the list of all tastes that ever were, by id."""
    carried = {taste.segment_id: taste for taste in before.tastes} if before else {}
    count = len(liking.categories)
    sums = np.zeros((len(found.ids), liking.amounts.shape[1]))
    np.add.at(sums, chosen, liking.amounts)
    shares = (sums / np.maximum(sums.sum(axis=1, keepdims=True), 1e-9))[:, :count]
    usual = liking.usual[:count]
    new = [index for index, taste in enumerate(found.ids.tolist()) if taste in found.born]
    given = taste_names(shares, usual, liking.categories, new, {taste.name for taste in carried.values()})
    of_what = "spend and looks" if liking.with_looks else "spend"
    tonight: dict[int, Segment] = {}
    for index, taste in enumerate(found.ids.tolist()):
        known = carried.get(taste)
        distinct = taste_distinctive(shares[index], usual, liking.categories, of_what)
        tonight[taste] = Segment(
            segment_id=taste,
            name=known.name if known else given[index],
            description=f"{distinct[0][:1].upper()}{distinct[0][1:]}{''.join(f'; {more}' for more in distinct[1:3])}.",
            status=ACTIVE,
            born_on=known.born_on if known else day.isoformat(),
            lineage=known.lineage if known else {str(p): share for p, share in found.lineage.get(taste, {}).items()},
            centroid=[] if grouping.centroids is None else grouping.centroids[index].tolist(),
            distinctive=distinct,
        )
    ended = {
        taste.segment_id: replace(taste, status=RETIRED, retired_on=taste.retired_on or day.isoformat(), centroid=[])
        for taste in carried.values()
        if taste.segment_id not in tonight
    }
    every = {**ended, **tonight}
    return [every[taste] for taste in sorted(every)]


def _smallest_share(liking: Liking, centroids: NDArray[np.float64]) -> float:
    codes = kmeans.nearest(liking.points, centroids)
    return float(np.bincount(codes, minlength=len(centroids)).min()) / len(codes)
