"""The gates of a night: each has a figure, a limit, words, and what follows if the figure is beyond the limit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from statistics import median

import numpy as np
import pandas as pd
from sqlalchemy import Engine, select

from segmentation.catalog import NO_MODEL, NO_ORDER_SEGMENT, RFM
from segmentation.clusters.inputs import read_no_order
from segmentation.clusters.segmentation_file import Segmentation
from segmentation.config import Settings
from segmentation.evaluate.baselines import KMEANS_RFM, RFM_GRID
from segmentation.evaluate.drift import Drift, Drifts
from segmentation.evaluate.metric import HOLDS, STOPS, WAIT_STEP, Metric
from segmentation.evaluate.usefulness import Usefulness
from segmentation.warehouse import models, runs

#: Scope of the segments' own usefulness, beside the baselines'.
MODEL = "model"
#: Nights before whose models tell what loss is usual.
_EARLIER_MODELS = 7
_SHOWN = 3


def labelled_gate(settings: Settings, day: date, labels: pd.DataFrame, static: pd.DataFrame) -> Metric:
    """Ask that everybody known has exactly one label."""
    known = {*static["customer_id"], *read_no_order(settings.lake, day)}
    labelled = set(labels["customer_id"])
    right = labelled == known and len(labels) == len(known) and bool(labels["segment_id"].notna().all())
    detail = (
        f"{len(labels)} labels for {len(known)} known customers"
        if right
        else f"{len(labels)} labels for {len(known)} known customers ({len(known - labelled)} without a label, "
        f"{len(labelled - known)} unknown): clear the task `features` of this run"
    )
    return _holding("customers_labelled", float(len(labels)), float(len(known)), right, detail)


def smallest_share_gate(settings: Settings, segmentation: Segmentation, labels: pd.DataFrame) -> Metric:
    """Ask that no segment of the model has shrunk to next to nobody."""
    shares = labels.loc[labels["segment_id"] != NO_ORDER_SEGMENT, "segment_id"].value_counts(normalize=True)
    smallest = float(shares.min()) if len(shares) == segmentation.k else 0.0
    if segmentation.algorithm == RFM:
        return _unjudged("smallest_share", smallest, f"smallest segment {smallest:.1%}; RFM segments may be small")
    # the search asks for the whole of it; between searches segments may shrink a little before a search is due
    limit = settings.clusters.minimum_share / 2
    passed = smallest >= limit
    detail = f"smallest segment {smallest:.1%} of the customers, limit {limit:.1%}"
    if not passed:
        detail += ". Run the day with search = true to look for the number of segments anew"
    return _holding("smallest_share", smallest, limit, passed, detail)


def movement_gates(
    settings: Settings,
    day: date,
    segmentation: Segmentation,
    labels: pd.DataFrame,
    before: Segmentation | None,
    ari: float,
) -> list[Metric]:
    """Ask that few customers have another label than before, and that who was together still is (index ``ari``)."""
    known = labels[labels["previous_segment_id"].notna()]
    if before is None or not len(known):
        nobody = "no labels before, so nobody can have moved"
        return [_unjudged("moved_share", float("nan"), nobody), _unjudged("ari", float("nan"), nobody)]
    moved = float(known["moved"].isin(("behaviour", "relabelling")).mean())
    if before.algorithm != segmentation.algorithm and RFM in (before.algorithm, segmentation.algorithm):
        # the two kinds share no segment: held, such a night would be compared again tomorrow, and held for ever
        change = (
            "the shop had RFM segments before and has a model now"
            if before.algorithm == RFM
            else f"the shop had a model's segments before and has RFM segments now ({segmentation.reason})"
        )
        return [
            _unjudged("moved_share", moved, f"{moved:.1%} have a new label, as expected: {change}"),
            _unjudged("ari", ari, f"agreement {ari:.2f}, as expected: {change}"),
        ]
    nights = (day - date.fromisoformat(before.business_day)).days
    # so many may move every night; those who stay through several nights are the product
    limit = 1.0 - (1.0 - settings.evaluate.moved_share_limit) ** nights
    detail = f"{moved:.1%} of customers changed segment since {before.business_day}, limit {limit:.1%}"
    if moved > limit:
        detail += (
            f" ({segmentation.reason}). If that is wanted, approve the night, or run the day once with "
            f"SEGMENTATION_EVALUATE__MOVED_SHARE_LIMIT={math.ceil(moved * 100) / 100:g}"
        )
    least = settings.evaluate.ari_limit**nights
    together = f"adjusted Rand index {ari:.2f} to {before.business_day} (1 = the same groups), limit {least:.2f}"
    if ari < least:
        together += ". The groups were cut anew; look at the transitions, and run the day with search = true"
    return [
        _holding("moved_share", moved, limit, moved <= limit, detail),
        # one segment has no other to be told from
        _holding("ari", ari, least, ari >= least, together)
        if math.isfinite(ari)
        else _unjudged("ari", ari, "not measured"),
    ]


def usefulness_gate(
    settings: Settings, segmentation: Segmentation, scored: Mapping[str, Usefulness], note: str
) -> Metric:
    """Ask that the segments foretell about as much as the best baseline, or more."""
    name = "usefulness"
    if segmentation.algorithm == RFM:
        value = scored[MODEL].score if scored else float("nan")
        return _unjudged(name, value, "RFM segments are published: they are the baseline")
    # segments are judged by what they were made for
    figures = {scope: of.manners_r2 if segmentation.manners else of.score for scope, of in scored.items()}
    what = " of how customers order and visit" if segmentation.manners else ""
    if not math.isfinite(figures.get(MODEL, float("nan"))):
        return _unjudged(name, float("nan"), f"not measured: {note}")
    model = figures[MODEL]
    best = max((RFM_GRID, KMEANS_RFM), key=lambda scope: np.nan_to_num(figures[scope], nan=-1.0))
    limit = figures[best] - settings.evaluate.usefulness_margin
    passed = model >= limit
    detail = f"the model's segments foretell {model:.3f}{what}, the best baseline ({best}) {figures[best]:.3f} ({note})"
    if not passed:
        detail += (
            f"; that is more than {settings.evaluate.usefulness_margin:g} less. Look at the encoder's losses in "
            "ops.models; a cold start may help"
        )
    return _holding(name, model, limit, passed, detail)


def held_out_loss_gate(settings: Settings, day: date, model_version: str, warehouse: Engine) -> Metric:
    """Ask that the encoder errs about as much on customers it never saw as in the published nights before."""
    name = "held_out_loss"
    if model_version == NO_MODEL:
        return _unjudged(name, float("nan"), "no encoder: RFM segments")
    published = select(models.c.held_out_loss).join(runs, runs.c.model_version == models.c.model_version)
    published = published.where(runs.c.status == "published", runs.c.business_day < day)
    with warehouse.connect() as connection:
        tonight = connection.scalar(select(models.c.held_out_loss).where(models.c.model_version == model_version))
        before = connection.scalars(published.order_by(runs.c.business_day.desc()).limit(_EARLIER_MODELS)).all()
    if tonight is None or not before:
        return _unjudged(name, float("nan") if tonight is None else tonight, "no earlier night with a model")
    usual = median(before)
    limit = usual * (1.0 + settings.evaluate.loss_increase_limit)
    detail = f"loss {tonight:.4f} on held-out customers, {usual:.4f} in the nights before ({len(before)}, median)"
    if not tonight <= limit:
        detail += ". Customers behave unlike what the encoder learnt, or its inputs changed: look at the drift gates"
    return _holding(name, tonight, limit, bool(tonight <= limit), detail)


def drift_gates(kind: str, found: Drifts) -> list[Metric]:
    """Ask that columns have about as many nulls and the same values as before; ``kind`` is 'input' or 'feature'."""
    return [
        _drift_gate(f"{kind}_nulls", found.nulls, found.basis, "share of nulls", "differs by"),
        _drift_gate(f"{kind}_drift", found.distributions, found.basis, "values", "stability index"),
    ]


def _drift_gate(name: str, columns: Sequence[Drift], basis: str, what: str, measure: str) -> Metric:
    if not columns:
        return _unjudged(name, float("nan"), "not measured: there is too little to compare with")
    worst = max(columns, key=lambda one: one.value / one.limit)
    broken = sorted((one for one in columns if one.value > one.limit), key=lambda one: -one.value / one.limit)
    shown = ", ".join(f"{one.column} ({measure} {one.value:.2f}, limit {one.limit:.2f})" for one in broken[:_SHOWN])
    detail = (
        f"{what} of {len(broken)} of {len(columns)} columns are not as in {basis}: {shown}. Did the source or its "
        "mapping change? If the shop did (a sale, a new channel), approve the night"
        if broken
        else f"{what} of {len(columns)} columns are as in {basis}; most changed: {worst.column} ({measure} "
        f"{worst.value:.2f}, limit {worst.limit:.2f})"
    )
    return _holding(name, worst.value, worst.limit, not broken, detail)


def freshness_gate(hours_past: float, detail: str, *, passed: bool) -> Metric:
    """Say how far the source goes past the end of the day; the first task waits for it, and stops a run in vain.

    Parameters
    ----------
    hours_past : float
        Hours by which the source's newest row is later than the end of the day; NaN for an empty source.
    detail : str
        What the last look found.
    passed : bool
        Whether the night begins: also without later rows, where that is usual or accepted.
    """
    return Metric("gate_freshness", hours_past, "", 0.0, passed, detail, WAIT_STEP, STOPS)


def _holding(name: str, value: float, threshold: float, passed: bool, detail: str) -> Metric:
    return Metric(f"gate_{name}", value, "", threshold, passed, detail, consequence=HOLDS)


def _unjudged(name: str, value: float, detail: str) -> Metric:
    """Return a gate without anything to judge tonight: the words say why."""
    return Metric(f"gate_{name}", value, detail=detail, consequence=HOLDS)
