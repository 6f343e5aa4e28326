"""Group one night's customers: search or refit, keep the segments' identity, hold customers still, say why.

Shapes: B customers with an order, Q outlook columns, K segments.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segmentation import catalog
from segmentation.clusters import (
    confidence,
    hysteresis,
    identity,
    naming,
    rfm,
    rules,
    segmentation_file,
    traits,
)
from segmentation.clusters.choose import Choice, choose
from segmentation.clusters.fitted import Fitted, nearest, refit
from segmentation.clusters.inputs import (
    Outlook,
    matured_future,
    read_no_order,
    read_outlook,
    read_static,
)
from segmentation.clusters.segmentation_file import ACTIVE, RETIRED, Segment, Segmentation
from segmentation.clusters.taste import group_by_taste
from segmentation.clusters.view import View, choose_view
from segmentation.config import Settings

if TYPE_CHECKING:
    from segmentation.runs import PublishedNight

logger = logging.getLogger(__name__)

#: Customers with an order under which no clusters are looked for.
MINIMUM_CUSTOMERS = 60


@dataclass(frozen=True)
class ReclusterResult:
    """What one night's clustering came to.

    Attributes
    ----------
    customers : customers labelled, those without an order among them
    moved_share : customers whose label differs from the base's, as a share (0 to 1) of those who had one
    tastes : number of tastes, the second segmentation; 0 = none, see taste_reason
    """

    segmentation_version: str
    algorithm: str
    k: int
    searched: bool
    reason: str
    customers: int
    born: int
    retired: int
    moved_share: float
    seconds: float
    tastes: int
    taste_reason: str


@dataclass(frozen=True)
class _Base:
    """Last published night's segments, and its segment, taste and outlook position of each of its customers."""

    segmentation: Segmentation
    day: date
    version: str
    labels: pd.Series
    tastes: pd.Series
    positions: pd.DataFrame


@dataclass(frozen=True)
class _Grouping:
    """Tonight's clusters before they have an identity.

    Attributes
    ----------
    codes : (B,) cluster of each customer
    names : (K,) fixed names of RFM segments; None where names are made from the data
    fitted : the K clusters; None for RFM
    outlook : with the weights that the distances were taken in
    view : which made these
    """

    algorithm: str
    reason: str
    searched: bool
    searched_on: str | None
    codes: NDArray[np.int64]
    names: tuple[str, ...] | None
    fitted: Fitted | None
    candidates: list[dict[str, Any]]
    outlook: Outlook
    view: View

    @property
    def centroids(self) -> NDArray[np.float64] | None:
        """Middle of each cluster, (K, Q); None for RFM."""
        return None if self.fitted is None else self.fitted.centroids


def recluster(settings: Settings, day: date, base: PublishedNight | None, search: bool = False) -> ReclusterResult:
    """Give every customer known on ``day`` a segment, and write labels and segments to the lake.

    Parameters
    ----------
    settings : Settings
        All settings.
    day : date
        Business day; its features and outlook must be in the lake.
    base : PublishedNight or None
        Published night whose segments go on; None on the first night.
    search : bool
        Search the number of segments although it is not due.

    Returns
    -------
    ReclusterResult
        The same lake and base give the same version and the same bytes.

    Raises
    ------
    MissingInput
        If features or outlook of the day are not in the lake.
    TooLittleHistory
        If nobody has ordered yet.
    LedgerBehind
        If the base's segments are not in the lake.
    """
    began = time.perf_counter()
    static = read_static(settings.lake, day)
    outlook = read_outlook(settings.lake, day, static)
    night = _read_base(settings, base)
    if night is not None and night.positions.columns.tolist() == list(outlook.columns):
        outlook = outlook.moved_from(night.positions, (day - night.day).days, settings.clusters.half_life_days)
    grouping = _group(settings, day, static, outlook, night, search)
    outlook = grouping.outlook
    held = _held(night, static["customer_id"])
    grouping, found = _identify(grouping, night, held, static, outlook)
    ids, margins = _settle(settings, grouping, found, held, outlook)
    measured = traits.measure(static)
    segments, reasons = _describe(settings, day, measured, grouping, found, ids, night)
    labels = _labels(settings, day, static, ids, margins, reasons, night, found)
    liked = group_by_taste(
        settings,
        day,
        static,
        night.segmentation if night else None,
        night.tastes if night else pd.Series(dtype="Int32"),
        search,
    )
    labels["taste_id"] = liked.ids.reindex(labels["customer_id"].to_numpy()).to_numpy()
    segmentation = Segmentation(
        business_day=day.isoformat(),
        base_day=night.day.isoformat() if night else None,
        base_version=night.version if night else None,
        model_version=outlook.model_version,
        algorithm=grouping.algorithm,
        parameters={} if grouping.fitted is None else dict(grouping.fitted.parameters),
        k=len(found.ids),
        reason=grouping.reason,
        searched=grouping.searched,
        searched_on=grouping.searched_on,
        outlook_columns=list(outlook.columns),
        outlook_weights=[float(weight) for weight in outlook.weights],
        manners=grouping.view.manners,
        habit_weight=grouping.view.habit_weight,
        next_segment_id=found.next_segment_id,
        segments=segments,
        lifecycle=[
            {"kind": change.kind, "segment_id": change.segment_id, "others": list(change.others)}
            for change in found.changes
        ],
        candidates=grouping.candidates,
        tastes=liked.tastes,
        next_taste_id=liked.next_taste_id,
        taste_reason=liked.reason,
        taste_searched_on=liked.searched_on,
        taste_categories=liked.categories,
        taste_lifecycle=liked.lifecycle,
        taste_candidates=liked.candidates,
    )
    if outlook.columns:
        labels["position"] = outlook.positions().reindex(labels["customer_id"].to_numpy()).to_numpy()
    version = segmentation_file.write(settings.lake, day, segmentation, labels)
    known = labels["previous_segment_id"].notna()
    moved = labels["moved"].isin(("behaviour", "relabelling"))
    logger.info("%s: %d segments (%s): %s", day, segmentation.k, grouping.algorithm, grouping.reason)
    return ReclusterResult(
        segmentation_version=version,
        algorithm=grouping.algorithm,
        k=segmentation.k,
        searched=grouping.searched,
        reason=grouping.reason,
        customers=len(labels),
        born=len(found.born),
        retired=len(found.retired),
        moved_share=round(float(moved.sum()) / max(int(known.sum()), 1), 6),
        seconds=round(time.perf_counter() - began, 2),
        tastes=len(segmentation.active_tastes),
        taste_reason=liked.reason,
    )


def _read_base(settings: Settings, base: PublishedNight | None) -> _Base | None:
    if base is None:
        return None
    segmentation, labels = segmentation_file.read_base(settings.lake, base.business_day, base.segmentation_version)
    by_customer = labels.set_index("customer_id")
    held, liked = by_customer["segment_id"], by_customer["taste_id"]
    positions = segmentation_file.positions(segmentation, labels)
    return _Base(segmentation, base.business_day, base.segmentation_version, held, liked, positions)


def _held(night: _Base | None, customers: pd.Series) -> NDArray[np.int64]:
    """Return last night's segment id of each customer, (B,); -1 = none."""
    if night is None:
        return np.full(len(customers), hysteresis.NONE, dtype=np.int64)
    return night.labels.reindex(customers.to_numpy()).fillna(hysteresis.NONE).to_numpy(dtype=np.int64)


def _group(
    settings: Settings, day: date, static: pd.DataFrame, outlook: Outlook, night: _Base | None, search: bool
) -> _Grouping:
    """Choose between last night's segments refitted, a search, and RFM segments."""
    if outlook.model_version == catalog.NO_MODEL:
        reason = f"RFM segments: {outlook.reason or 'there is no model'}"
        return _by_rfm(static, outlook, reason, searched=False, searched_on=None)
    if len(static) < MINIMUM_CUSTOMERS:
        few = f"{len(static)} customers with an order are too few for clusters (at least {MINIMUM_CUSTOMERS})"
        return _by_rfm(static, outlook, f"RFM segments: {few}", searched=False, searched_on=None)
    held = _held(night, static["customer_id"])
    before = night.segmentation if night else None
    view = View(before.manners, before.habit_weight) if before and before.algorithm != catalog.RFM else None
    seen = outlook.seen_as(view or View())
    present = _present(settings, seen, before, held)
    due = "a search was asked for" if search else _why_search(settings, day, seen, before, present)
    if due is None and before is not None:
        if present is None or view is None:
            return _by_rfm(static, outlook, before.reason, searched=False, searched_on=before.searched_on)
        reason = f"refitted from {before.business_day}; the last search was on {before.searched_on}"
        return _by_fitted(seen, view, present, reason, False, before.searched_on, [])
    future = matured_future(outlook, settings.lake, day)
    values = outlook.table[list(outlook.columns)].to_numpy(dtype=float)
    view, why = choose_view(values, outlook.columns, outlook.weights, settings.clusters, future, view)
    seen = outlook.seen_as(view)
    choice = choose(
        seen.space(seen.table),
        settings.clusters,
        None if future is None or view.manners else future.weighted(seen.weights),
        _present(settings, seen, before, held),
        why if view.manners else "no matured future yet",
    )
    _log(day, choice)
    table = [{**candidate.row(), "chosen": candidate is choice.chosen} for candidate in choice.candidates]
    reason = f"searched ({due}): {choice.reason}" + ("" if view.manners else f"; {why}")
    today = day.isoformat()
    if choice.fitted is None:
        grouping = _by_rfm(static, outlook, f"RFM segments: {reason}", searched=True, searched_on=today)
        return replace(grouping, candidates=table)
    return _by_fitted(seen, view, choice.fitted, reason, True, today, table)


def _present(
    settings: Settings, outlook: Outlook, before: Segmentation | None, held: NDArray[np.int64]
) -> Fitted | None:
    """Return last night's clusters in tonight's space; None if there were none or too few are left."""
    if before is None or before.algorithm == catalog.RFM:
        return None
    # the outlook may have other columns or another scale than last night; its customers carry the segment over
    left = [segment.segment_id for segment in before.active if (held == segment.segment_id).any()]
    if len(left) < 2:
        return None
    codes = np.full(len(held), hysteresis.NONE, dtype=np.int64)
    for index, segment_id in enumerate(left):
        codes[held == segment_id] = index
    values = outlook.space(outlook.table)
    return refit(values, codes, len(left), before.algorithm, before.parameters, settings.clusters.seed)


def _why_search(
    settings: Settings,
    day: date,
    outlook: Outlook,
    before: Segmentation | None,
    present: Fitted | None,
) -> str | None:
    """Say why the segments have to be searched tonight; None if they have not."""
    if before is None:
        return "there is no published night before"
    if before.searched_on is None:
        return "there were no clusters before"
    age = (day - date.fromisoformat(before.searched_on)).days
    if age >= settings.clusters.search_every_days:
        return f"the last one was {age} days ago"
    if before.algorithm == catalog.RFM:
        return None
    if present is None:
        return "last night's segments have no customers left"
    codes = nearest(present, outlook.space(outlook.table))
    smallest = np.bincount(codes, minlength=present.k).min() / len(codes)
    if smallest < settings.clusters.minimum_share:
        return f"a segment has shrunk to {smallest:.1%} of the customers"
    return None


def _by_rfm(
    static: pd.DataFrame, outlook: Outlook, reason: str, *, searched: bool, searched_on: str | None
) -> _Grouping:
    of_customer = rfm.rfm_segments(static)
    names = tuple(name for name in rfm.MEANINGS if name in set(of_customer))
    place = {name: index for index, name in enumerate(names)}
    codes = np.array([place[name] for name in of_customer], dtype=np.int64)
    return _Grouping(catalog.RFM, reason, searched, searched_on, codes, names, None, [], outlook, View())


def _by_fitted(
    outlook: Outlook,
    view: View,
    fitted: Fitted,
    reason: str,
    searched: bool,
    searched_on: str | None,
    candidates: list[dict[str, Any]],
) -> _Grouping:
    codes = nearest(fitted, outlook.space(outlook.table))
    filled = np.flatnonzero(np.bincount(codes, minlength=fitted.k))
    codes = np.searchsorted(filled, codes).astype(np.int64)
    return _Grouping(
        fitted.algorithm,
        reason,
        searched,
        searched_on,
        codes,
        None,
        fitted.taken(filled),
        candidates,
        outlook,
        view,
    )


def _identify(
    grouping: _Grouping, night: _Base | None, held: NDArray[np.int64], static: pd.DataFrame, outlook: Outlook
) -> tuple[_Grouping, identity.Identity]:
    """Give tonight's clusters their ids, and put the clusters in the order of these."""
    before = night.segmentation if night else None
    active = [segment.segment_id for segment in before.active] if before else []
    next_id = before.next_segment_id if before else 1
    if grouping.names is not None:
        return grouping, _identify_by_name(grouping.names, before, active, next_id)
    # new ids go to the most valuable first, so that segment 1 of a first night is the best one
    worth = outlook.table["expected_spend"].to_numpy(dtype=float)
    k = int(grouping.codes.max()) + 1
    mean_worth = np.bincount(grouping.codes, weights=worth, minlength=k) / np.bincount(grouping.codes, minlength=k)
    order = np.argsort(-np.round(mean_worth, 6), kind="stable")
    grouping = _reordered(grouping, order)
    # a cluster does not continue an RFM segment: that one is defined by its rule, not by who is in it
    continued = active if before is not None and before.algorithm != catalog.RFM else []
    found = identity.match(grouping.codes, held, k, continued, next_id)
    if continued != active:
        found = replace(
            found,
            retired=tuple(sorted(active)),
            changes=(*found.changes, *(identity.Change("retired", segment, ()) for segment in sorted(active))),
        )
    return _reordered(grouping, np.argsort(found.ids)), replace(found, ids=np.sort(found.ids))


def _reordered(grouping: _Grouping, order: NDArray[np.intp]) -> _Grouping:
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    fitted = None if grouping.fitted is None else grouping.fitted.taken(order)
    return replace(grouping, codes=place[grouping.codes], fitted=fitted)


def _identify_by_name(
    names: Sequence[str], before: Segmentation | None, active: Sequence[int], next_id: int
) -> identity.Identity:
    """RFM segments are their rule: a name that was there before gets its id back, also after a pause."""
    known = {s.name: s.segment_id for s in before.segments} if before else {}
    ids, born, changes = [], [], []
    for name in names:
        if name not in known:
            known[name] = next_id
            next_id += 1
        if known[name] not in active:
            born.append(known[name])
            changes.append(identity.Change("born", known[name], ()))
        ids.append(known[name])
    retired = tuple(sorted(set(active) - set(ids)))
    changes += [identity.Change("retired", segment, ()) for segment in retired]
    return identity.Identity(np.array(ids, dtype=np.int64), tuple(born), retired, {}, tuple(changes), next_id)


def _settle(
    settings: Settings,
    grouping: _Grouping,
    found: identity.Identity,
    held: NDArray[np.int64],
    outlook: Outlook,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return each customer's segment id and confidence, (B,) each, after hysteresis."""
    if grouping.fitted is None:
        return found.ids[grouping.codes], np.ones(len(grouping.codes))
    values = outlook.space(outlook.table)
    away = grouping.fitted.distances(values)
    place = np.searchsorted(found.ids, held).clip(max=len(found.ids) - 1)
    own = np.where(found.ids[place] == held, place, hysteresis.NONE)
    chosen = hysteresis.hold(away, own, settings.clusters.hysteresis)
    margins = confidence.margin(away, chosen)
    again = confidence.agreement(values, grouping.fitted, chosen, confidence.RESAMPLES, settings.clusters.seed)
    return found.ids[chosen], confidence.calibrated(margins, *again)


def _describe(
    settings: Settings,
    day: date,
    measured: traits.Traits,
    grouping: _Grouping,
    found: identity.Identity,
    ids: NDArray[np.int64],
    night: _Base | None,
) -> tuple[list[Segment], list[list[str]]]:
    """Return the list of all segments that ever were, and each customer's reasons."""
    k = len(found.ids)
    order = np.argsort(found.ids)
    codes = order[np.searchsorted(found.ids[order], ids)]
    means = traits.of_segments(measured, codes, k)
    medians = traits.segment_medians(measured, codes, k)
    averages = traits.segment_averages(measured, codes, k)
    carried = {s.segment_id: s for s in night.segmentation.segments} if night else {}
    shop = rules.figures(measured, grouping.outlook.table)
    ruled = rules.find(shop, codes, k)
    if grouping.names is not None:
        given = dict(enumerate(grouping.names))
    else:
        new = [index for index, segment_id in enumerate(found.ids.tolist()) if segment_id in found.born]
        taken = {segment.name for segment in carried.values()} | set(rfm.MEANINGS) | {catalog.NO_ORDER_NAME}
        told = {index: rules.traits(ruled[index], shop, codes == index) for index in new}
        given = naming.names(measured, means, medians, new, taken, told)
    tonight: dict[int, Segment] = {}
    for index, segment_id in enumerate(found.ids.tolist()):
        before = carried.get(segment_id)
        distinct = naming.distinctive(measured, means[index], medians[index], averages[index], settings.currency)
        name = before.name if before else given[index]
        described = naming.description(measured, medians[index], distinct, settings.currency)
        if grouping.names is not None:
            described = f"Customers who {rfm.MEANINGS[name]}. {described}"
        centroid = [] if grouping.centroids is None else grouping.centroids[index].tolist()
        tonight[segment_id] = Segment(
            segment_id=segment_id,
            name=name,
            description=described,
            status=ACTIVE,
            born_on=before.born_on if before else day.isoformat(),
            lineage=before.lineage
            if before
            else {str(parent): share for parent, share in found.lineage.get(segment_id, {}).items()},
            centroid=centroid,
            distinctive=distinct,
            rules=rules.said(ruled[index], settings.currency, settings.features.horizon_days),
            rule_fidelity=ruled[index].fidelity,
            rule_precision=ruled[index].precision,
            rule_recall=ruled[index].recall,
        )
    ended = {
        s.segment_id: replace(s, status=RETIRED, retired_on=s.retired_on or day.isoformat(), centroid=[])
        for s in carried.values()
        if s.segment_id not in tonight and s.segment_id != catalog.NO_ORDER_SEGMENT
    }
    nobody = segmentation_file.no_order_segment(day, list(carried.values()))
    every = {nobody.segment_id: nobody, **ended, **tonight}
    reasons = traits.reasons(measured, codes, means, settings.currency)
    return [every[segment_id] for segment_id in sorted(every)], reasons


def _labels(
    settings: Settings,
    day: date,
    static: pd.DataFrame,
    ids: NDArray[np.int64],
    margins: NDArray[np.float64],
    reasons: list[list[str]],
    night: _Base | None,
    found: identity.Identity,
) -> pd.DataFrame:
    """Put the labels of all customers together, those without an order among them."""
    ordered = pd.DataFrame(
        {
            "customer_id": static["customer_id"],
            "segment_id": ids,
            "confidence": margins,
            "reasons": reasons,
            "rfm_segment": rfm.rfm_segments(static),
        }
    )
    labels = segmentation_file.with_no_order(ordered, read_no_order(settings.lake, day))
    before = _held(night, labels["customer_id"])
    now = labels["segment_id"].to_numpy()
    # nobody chose to leave a segment that is no more, or to be drawn into one that was not there yesterday
    redrawn = np.isin(before, found.retired) | np.isin(now, found.born)
    labels["previous_segment_id"] = pd.Series(before, dtype="Int32").mask(before == hysteresis.NONE)
    labels["moved"] = np.select(
        [before == hysteresis.NONE, before == now, redrawn], ["new", "", "relabelling"], default="behaviour"
    )
    return labels


def _log(day: date, choice: Choice) -> None:
    table = pd.DataFrame([candidate.row() for candidate in choice.candidates])
    logger.info("%s: candidates\n%s\n%s", day, table.to_string(index=False), choice.reason)
