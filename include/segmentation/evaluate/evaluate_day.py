"""Score one night's segmentation, write the figures to `ops.metrics`, and decide whether it is published."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Engine, select

from segmentation import warehouse as tables
from segmentation.catalog import NO_ORDER_SEGMENT, RFM
from segmentation.clusters import kmeans, rfm, segmentation_file
from segmentation.clusters.choose import FIGURES
from segmentation.clusters.fitted import Fitted, nearest, refit
from segmentation.clusters.inputs import (
    Outlook,
    read_cutoffs,
    read_outlook,
    read_static,
    read_targets,
    space,
)
from segmentation.clusters.segmentation_file import Segmentation
from segmentation.clusters.taste import tastes_at_cutoff
from segmentation.clusters.taste_space import read_next_spend
from segmentation.config import Settings
from segmentation.connections import named_errors
from segmentation.encoder.heads import BEHAVIOUR_HEADS
from segmentation.evaluate.baselines import RFM_GRID, baseline_labels
from segmentation.evaluate.drift import Drifts, feature_drift, input_drift
from segmentation.evaluate.futures import lake_future, of_customers
from segmentation.evaluate.gates import (
    MODEL,
    drift_gates,
    held_out_loss_gate,
    labelled_gate,
    movement_gates,
    smallest_share_gate,
    usefulness_gate,
)
from segmentation.evaluate.metric import CLUSTER_STEP, EVALUATE_STEP, Metric, store
from segmentation.evaluate.usefulness import Usefulness, category_bits, score_segments

if TYPE_CHECKING:
    from segmentation.runs import PublishedNight

logger = logging.getLogger(__name__)

TASTE = "taste"
#: Held-out customers under which all customers of the matured window are scored instead.
FEWEST_HELD_OUT = 100
_SHAPE_SAMPLE = 3_000


@dataclass(frozen=True)
class Evaluation:
    """The verdict on one night.

    Attributes
    ----------
    publish : False when a gate failed
    reasons : what failed, in words, and what to do
    metrics : every figure that could be computed, ``metric`` or ``metric[scope]``
    """

    publish: bool
    reasons: list[str] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)


def evaluate_day(
    settings: Settings,
    day: date,
    segmentation_version: str,
    base: PublishedNight | None,
    warehouse: Engine,
    run_id: str,
) -> Evaluation:
    """Score a night's segments beside the baselines and put them through the gates.

    Parameters
    ----------
    settings : Settings
        All settings.
    day : date
        Business day.
    segmentation_version : str
        Version that `recluster` returned.
    base : PublishedNight or None
        Published night that the segments continue.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    run_id : str
        Key in `ops.runs`.

    Returns
    -------
    Evaluation
        Also written to `ops.metrics`, replacing the day's rows of steps cluster and evaluate in one transaction.

    Raises
    ------
    MissingInput
        If the segmentation, the features, their windows or the outlook are not in the lake.
    LedgerBehind
        If the base's segmentation is not in the lake.
    """
    segmentation, labels = segmentation_file.read(settings.lake, day, segmentation_version)
    static = read_static(settings.lake, day)
    outlook = read_outlook(settings.lake, day, static)
    before = segmentation_file.read_base(settings.lake, base.business_day, base.segmentation_version) if base else None
    scored, note, labelled = _usefulness(settings, day, segmentation, labels, outlook)
    url = warehouse.url.render_as_string(hide_password=False)
    with named_errors("warehouse", url):
        published = _matured_publication(warehouse, day, settings.features.horizon_days)
    if published is not None:
        scored |= _published(settings, *published)
    movement = _movement(segmentation, labels)
    (ari,) = [metric.value for metric in movement if metric.metric == "ari_to_base"]
    inputs = input_drift(settings.lake, day, settings.evaluate)
    described = feature_drift(settings.lake, day, base.business_day if base else None, settings.evaluate)
    with named_errors("warehouse", url):
        loss = held_out_loss_gate(settings, day, segmentation.model_version, warehouse)
    gates = [
        labelled_gate(settings, day, labels, static),
        smallest_share_gate(settings, segmentation, labels),
        *movement_gates(settings, day, segmentation, labels, before[0] if before else None, ari),
        usefulness_gate(settings, segmentation, scored, note),
        loss,
        *drift_gates("input", inputs),
        *drift_gates("feature", described),
    ]
    metrics = [
        *_candidates(segmentation),
        *_shape(settings, segmentation, labels, static, outlook),
        *movement,
        *_tastes(segmentation, labels, before[1] if before else None),
        *_category_bits(settings, day, segmentation, outlook, labelled),
        *_rules(segmentation),
        *(metric for scope, score in scored.items() for metric in _scores(scope, score, note)),
        *gates,
    ]
    # every column's drift is for whoever looks into it: too much for the result
    store(warehouse, day, run_id, (CLUSTER_STEP, EVALUATE_STEP), [*metrics, *_drifts(inputs, described)])
    reasons = [gate.detail for gate in gates if gate.passed is False]
    for gate in gates:
        logger.info("%s: %s %s", day, "passed" if gate.passed is not False else "FAILED", gate.detail)
    return Evaluation(
        publish=not reasons,
        reasons=reasons,
        metrics={
            f"{m.metric}[{m.scope}]" if m.scope else m.metric: round(m.value, 6)
            for m in metrics
            if m.step == EVALUATE_STEP and math.isfinite(m.value)
        },
    )


def _usefulness(
    settings: Settings, day: date, segmentation: Segmentation, labels: pd.DataFrame, outlook: Outlook
) -> tuple[dict[str, Usefulness], str, dict[str, pd.Series]]:
    """Score tonight's segments and both baselines on the newest matured future, on the same customers.

    Also returns the labels that each of them gives to the customers as they were at that cut-off.
    """
    cutoff = _cutoff(settings, day, outlook)
    if cutoff is None:
        return {}, "no horizon has matured yet", {}
    targets = read_targets(settings.lake, day, cutoff)
    static = read_static(settings.lake, day, cutoff)
    manners = [head.target for head in BEHAVIOUR_HEADS if head.manner and head.target in targets]
    truth = targets.set_index("customer_id")[["spend", "orders", "bought", *manners]].astype(float)
    labelled = baseline_labels(static, segmentation.k, settings.evaluate.seed)
    judged, who = truth.index, "all customers"
    model = labelled[RFM_GRID]
    if outlook.matured is not None and segmentation.algorithm != RFM:
        rows = outlook.matured
        fitted = fitted_of(settings, segmentation, labels, outlook)
        codes = nearest(fitted, _space(segmentation, rows))
        model = pd.Series(codes, pd.Index(rows["customer_id"].to_numpy()))
        held_out = model.index[rows["held_out"].to_numpy(dtype=bool)]
        enough = len(held_out) >= FEWEST_HELD_OUT
        judged = held_out if enough else model.index
        who = "customers held out of training" if enough else "all customers, since too few are held out"
    judged = judged.intersection(truth.index).sort_values()
    note = f"future of {settings.features.horizon_days} days after {cutoff}; {who} ({len(judged)})"
    truth = truth.loc[judged]
    everyone = {MODEL: model, **labelled}
    return (
        {
            scope: _scored(of_customer.reindex(judged), truth, settings.evaluate.seed)
            for scope, of_customer in everyone.items()
        },
        note,
        everyone,
    )


def _cutoff(settings: Settings, day: date, outlook: Outlook) -> date | None:
    """Return the newest cut-off whose horizon is over; None = there is none."""
    return outlook.cutoff or next(iter(read_cutoffs(settings.lake, day)), None)


def _scored(labels: pd.Series, truth: pd.DataFrame, seed: int) -> Usefulness:
    # a customer whom a segmentation does not know is a segment of its own
    codes = labels.fillna(-1).to_numpy(dtype=np.int64)
    amounts = ["spend", "orders", "bought"]
    spend, orders, bought = (truth[name].to_numpy() for name in amounts)
    return score_segments(codes, spend, orders, bought, seed, truth.drop(columns=amounts).to_numpy())


def _space(segmentation: Segmentation, rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return outlook rows in the space in which the segments were made: columns weigh as the search chose."""
    return space(rows, segmentation.outlook_columns, np.array(segmentation.outlook_weights))


def fitted_of(settings: Settings, segmentation: Segmentation, labels: pd.DataFrame, outlook: Outlook) -> Fitted:
    """Return tonight's segments as what customers of another day can be near to."""
    if segmentation.algorithm == kmeans.KMEANS:
        return kmeans.Centroids(segmentation.centroids)
    # a mean alone does not say where the segments of the other algorithms lie: their customers do
    placed = segmentation_file.positions(segmentation, labels)
    if placed.empty:
        placed = outlook.table.set_index("customer_id")
    ids = [segment.segment_id for segment in segmentation.active]
    of_customer = labels.set_index("customer_id")["segment_id"]
    codes = pd.Index(ids).get_indexer(pd.Index(of_customer.reindex(placed.index)))
    return refit(
        _space(segmentation, placed),
        codes.astype(np.int64),
        len(ids),
        segmentation.algorithm,
        segmentation.parameters,
        settings.clusters.seed,
    )


def _matured_publication(warehouse: Engine, day: date, horizon_days: int) -> tuple[date, str] | None:
    """Return the newest published day whose whole horizon is over by ``day``, with its version."""
    runs = tables.runs
    with warehouse.connect() as connection:
        row = connection.execute(
            select(runs.c.business_day, runs.c.segmentation_version)
            .where(runs.c.status == "published", runs.c.business_day <= day - timedelta(days=horizon_days))
            .order_by(runs.c.business_day.desc())
            .limit(1)
        ).first()
    return (row.business_day, row.segmentation_version) if row and row.segmentation_version else None


def _published(settings: Settings, day: date, version: str) -> dict[str, Usefulness]:
    """Score what marketing was given on ``day`` on what came true since; nothing if the lake lacks a part."""
    future = lake_future(settings, day)
    if future is None or not segmentation_file.version_folder(settings.lake, day, version).exists():
        return {}
    _, labels = segmentation_file.read(settings.lake, day, version)
    of_customer = labels.set_index("customer_id")["segment_id"]
    of_customer = of_customer[of_customer != NO_ORDER_SEGMENT]
    truth = of_customers(future, of_customer.index)
    return {f"published_{day}": _scored(of_customer, truth, settings.evaluate.seed)}


def _scores(scope: str, score: Usefulness, note: str) -> list[Metric]:
    detail = "" if scope.startswith("published") else note
    figures = {
        "usefulness": score.score,
        "spend_r2": score.spend_r2,
        "orders_r2": score.orders_r2,
        "orders_r2_raw": score.orders_r2_raw,
        "churn_auc": score.churn_auc,
        "manners_r2": score.manners_r2,
        "customers_scored": float(score.customers),
    }
    return [Metric(name, value, scope, detail=detail) for name, value in figures.items()]


def _shape(
    settings: Settings, segmentation: Segmentation, labels: pd.DataFrame, static: pd.DataFrame, outlook: Outlook
) -> list[Metric]:
    """Silhouette and Davies-Bouldin in the space in which the segments were made."""
    from sklearn.metrics import davies_bouldin_score

    values = rfm.log_rfm(static) if segmentation.algorithm == RFM else _space(segmentation, outlook.table)
    of_customer = labels.set_index("customer_id")["segment_id"].reindex(static["customer_id"].to_numpy())
    codes = of_customer.fillna(-1).to_numpy(dtype=np.int64)
    rows = kmeans.sample_rows(len(codes), _SHAPE_SAMPLE, settings.evaluate.seed)
    bouldin = float("nan")
    if 2 <= len(np.unique(codes[rows])) < len(rows):
        with kmeans.one_thread():
            bouldin = float(davies_bouldin_score(values[rows], codes[rows]))
    return [
        Metric("silhouette", kmeans.silhouette(values, codes, _SHAPE_SAMPLE, settings.evaluate.seed)),
        Metric("davies_bouldin", bouldin),
        Metric("k", float(segmentation.k), detail=segmentation.reason),
    ]


def _movement(segmentation: Segmentation, labels: pd.DataFrame) -> list[Metric]:
    from sklearn.metrics import adjusted_rand_score

    known = labels[labels["previous_segment_id"].notna()]
    compared = f"compared with {segmentation.base_day}" if segmentation.base_day else "first night"
    figures = {
        "ari_to_base": float(adjusted_rand_score(known["previous_segment_id"].astype(int), known["segment_id"]))
        if len(known)
        else float("nan"),
        "moved_by_behaviour": _share(known["moved"] == "behaviour"),
        "moved_by_relabelling": _share(known["moved"] == "relabelling"),
        "new_customers": float((labels["moved"] == "new").sum()),
        **{
            f"segments_{kind}": float(sum(change["kind"] == kind for change in segmentation.lifecycle))
            for kind in ("born", "retired", "split", "merged")
        },
    }
    return [Metric(name, value, detail=compared) for name, value in figures.items()]


def _drifts(*found: Drifts) -> list[Metric]:
    """Return the figure of every column that was compared, whatever the gates say."""
    return [
        Metric(name, column.value, column.column, detail=f"compared with {drifts.basis}; limit {column.limit:.2f}")
        for drifts in found
        for name, columns in (("null_share_change", drifts.nulls), ("psi", drifts.distributions))
        for column in columns
    ]


def _tastes(segmentation: Segmentation, labels: pd.DataFrame, before: pd.DataFrame | None) -> list[Metric]:
    """Count how many tastes there are, why, who has one, and how many customers have another one than before."""
    count = len(segmentation.active_tastes)
    found = [
        Metric("tastes", float(count), detail=segmentation.taste_reason),
        Metric("customers_with_taste", float(labels["taste_id"].notna().sum())),
    ]
    if count and before is not None:
        both = labels.merge(before[["customer_id", "taste_id"]], on="customer_id", suffixes=("", "_before"))
        both = both.dropna(subset=["taste_id", "taste_id_before"])
        moved = _share(both["taste_id"] != both["taste_id_before"])
        found.append(Metric("tastes_moved", moved, detail=f"compared with {segmentation.base_day}"))
    return found


def _category_bits(
    settings: Settings, day: date, segmentation: Segmentation, outlook: Outlook, labelled: dict[str, pd.Series]
) -> list[Metric]:
    """Measure what tastes, and segments beside them, tell of the category of the next spend."""
    cutoff = _cutoff(settings, day, outlook)
    if cutoff is None or not segmentation.active_tastes:
        missing = segmentation.taste_reason if cutoff else "no horizon has matured yet"
        return [Metric("category_bits", float("nan"), TASTE, detail=missing)]
    of_customer = tastes_at_cutoff(settings, day, segmentation, cutoff)
    customers = of_customer.index
    spend = read_next_spend(settings.lake, day, cutoff, customers.to_numpy())
    note = f"bits of the category of the spend after {cutoff}; all customers with a taste"
    everyone = {TASTE: of_customer, **labelled}
    return [
        Metric(
            "category_bits",
            category_bits(labels.reindex(customers).fillna(-1).to_numpy(dtype=np.int64), spend, settings.evaluate.seed),
            scope,
            detail=note,
        )
        for scope, labels in everyone.items()
    ]


def _share(hits: pd.Series) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


def _rules(segmentation: Segmentation) -> list[Metric]:
    """Mean over the segments of how well their rules tell who is in them; customers without an order are left out."""
    ruled = [segment for segment in segmentation.active if segment.rule_fidelity is not None]
    without = segmentation.k - len(ruled)
    if not ruled:
        return [Metric("rule_fidelity", float("nan"), detail="no segment has a rule")]
    worst = min(ruled, key=lambda segment: segment.rule_fidelity or 0.0)
    detail = f"balanced accuracy, mean over {len(ruled)} segments; lowest {worst.rule_fidelity:.2f} ({worst.name})"
    if without:
        detail += f"; {without} without a rule are left out"
    return [
        Metric(name, float(np.mean([getattr(segment, name) for segment in ruled])), detail=detail)
        for name in ("rule_fidelity", "rule_precision", "rule_recall")
    ]


def _candidates(segmentation: Segmentation) -> list[Metric]:
    """Return the tables that the searches chose from; empty on nights without a search."""
    searched = (
        (segmentation.candidates, ("k", *FIGURES)),
        (segmentation.taste_candidates, ("category_bits", "smallest_share")),
    )
    return [
        Metric(
            name,
            float("nan") if candidate[name] is None else candidate[name],
            candidate["name"],
            detail=f"chosen: {segmentation.reason}" if candidate.get("chosen") else candidate["refused"] or "allowed",
            step=CLUSTER_STEP,
        )
        for candidates, figures in searched
        for candidate in candidates
        for name in figures
        # a grouping that was refused early has few figures, but always the first
        if name == figures[0] or candidate[name] is not None
    ]
