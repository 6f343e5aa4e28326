"""How many segments, and how much habits count: by what the segments foretell and how stable they are.

Each candidate is fitted on tonight's outlook. Its segments are then given to the customers as they were
foreseen one horizon ago, whose future has come true since, and scored on that future (cross-fitted). The
fewest segments within tolerance of the best are chosen. Shapes: B customers, Q outlook columns, K segments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segmentation.clusters import kmeans
from segmentation.config import ClusterSettings
from segmentation.evaluate.usefulness import crossfit_r2, score_segments

#: Usefulness under which segments foretell nothing worth a name.
MINIMUM_USEFULNESS = 0.02
#: Silhouette by which the segments must beat those of one Gaussian cloud to count as groups in themselves.
SHAPE_MARGIN = 0.05
#: What is measured of every candidate.
FIGURES = (
    "usefulness",
    "spend_r2",
    "orders_r2",
    "bought_r2",
    "habits_r2",
    "stability",
    "smallest_share",
    "silhouette",
)
#: Outlook columns that say how valuable a customer will be; all others are habits.
VALUE_COLUMNS = ("q_bought", "q_spend", "q_orders")
#: How much a habit may count beside a column of value, most first.
HABIT_WEIGHTS = (1.0, 0.5, 0.25)
_SHAPE_SAMPLE = 2_000
_RESAMPLE = 5_000


@dataclass(frozen=True)
class Future:
    """The newest horizon that has come true, for the same heads as tonight's outlook.

    Attributes
    ----------
    outlook : (B, Q) as foreseen at its beginning, weighted like tonight's
    spend, orders, bought : (B,) what happened
    habits : (B, A) what happened in the clickstream (log counts), or no columns for a shop without one
    """

    outlook: NDArray[np.float64]
    spend: NDArray[np.float64]
    orders: NDArray[np.float64]
    bought: NDArray[np.float64]
    habits: NDArray[np.float64]


@dataclass(frozen=True)
class Candidate:
    """One way to group the customers, and how it did; NaN = could not be measured."""

    name: str
    k: int
    centroids: NDArray[np.float64]
    usefulness: float
    spend_r2: float
    orders_r2: float
    bought_r2: float
    habits_r2: float
    stability: float
    smallest_share: float
    silhouette: float
    refused: str

    @property
    def allowed(self) -> bool:
        """Whether it keeps the rules on size and stability."""
        return not self.refused

    def row(self) -> dict[str, float | int | str | bool | None]:
        """Return the figures for the log, the JSON and `ops.metrics`; None where NaN."""
        figures = {
            name: (None if math.isnan(getattr(self, name)) else round(getattr(self, name), 4)) for name in FIGURES
        }
        return {"name": self.name, "k": self.k, **figures, "allowed": self.allowed, "refused": self.refused}


@dataclass(frozen=True)
class Choice:
    """The outcome of a search: ``chosen`` is None when there is no structure worth publishing."""

    chosen: Candidate | None
    reason: str
    candidates: tuple[Candidate, ...]


def choose_habit_weight(
    values: NDArray[np.float64],
    columns: Sequence[str],
    settings: ClusterSettings,
    future: Future | None,
    present: float | None = None,
) -> float:
    """Choose how much the habit columns count in distances.

    Every habit pulls segments away from value. Where habits tell the segments' future behaviour (a
    clickstream) that pays, in a shop of orders alone it may cost more than it brings: the newest matured
    future says which.

    Parameters
    ----------
    values : (B, Q) tonight's outlook, habits at full weight
    columns : names of the Q columns
    settings : bounds, tolerance, seeds
    future : the newest matured horizon, habits at full weight; None = full weight
    present : the weight of the night before, kept while no other is better by more than the tolerance

    Returns
    -------
    float
        One of `HABIT_WEIGHTS`: the largest whose usefulness, averaged over numbers of segments, is within
        tolerance of the best.
    """
    if future is None or all(column in VALUE_COLUMNS for column in columns):
        return HABIT_WEIGHTS[0] if present is None else present
    sample = values[kmeans.sample_rows(len(values), settings.sample, settings.seed)]
    found = {}
    for weight in HABIT_WEIGHTS:
        scale = habit_scale(columns, weight)
        worth = []
        for k in range(settings.k_min, settings.k_max + 1, 2):
            centroids = kmeans.fit(sample * scale, k, settings.seed, starts=3)
            labels = kmeans.nearest(future.outlook * scale, centroids)
            worth.append(_usefulness(labels, future, settings.seed)["usefulness"])
        found[weight] = float(np.mean(worth))
    best = max(found.values())
    if not math.isfinite(best):
        return HABIT_WEIGHTS[0]
    within = [weight for weight in HABIT_WEIGHTS if found[weight] >= best - settings.tolerance]
    return present if present in within else within[0]


def habit_scale(columns: Sequence[str], weight: float) -> NDArray[np.float64]:
    """Return what each column is multiplied by, (Q,), when habits count ``weight``.

    Examples
    --------
    >>> habit_scale(["q_spend", "q_sessions"], 0.5).tolist()
    [1.0, 0.5]
    """
    return np.array([1.0 if column in VALUE_COLUMNS else weight for column in columns])


def choose_k(
    values: NDArray[np.float64],
    settings: ClusterSettings,
    future: Future | None,
    present: NDArray[np.float64] | None = None,
) -> Choice:
    """Search the number of segments.

    Parameters
    ----------
    values : (B, Q) tonight's weighted outlook
    settings : bounds, tolerance, seeds
    future : the newest matured horizon; None = choose by silhouette
    present : (K, Q) last night's segments in tonight's space: a candidate of their own, kept
        when nothing is better by more than the tolerance, since a new drawing moves customers

    Returns
    -------
    Choice
        Deterministic for the same inputs, with the reason in words.
    """
    chosen_rows = kmeans.sample_rows(len(values), settings.sample, settings.seed)
    sample = values[chosen_rows]
    limit = min(settings.k_max, len(np.unique(sample, axis=0)))
    candidates = [
        _measure(f"kmeans_k={k}", kmeans.fit(sample, k, settings.seed), sample, settings, future)
        for k in range(settings.k_min, limit + 1)
    ]
    kept = None
    if present is not None and len(present) >= 2:
        kept = _measure("kmeans_kept", present, sample, settings, future)
        candidates.append(kept)
    measured = tuple(candidates)
    allowed = [candidate for candidate in measured if candidate.allowed]
    if not allowed:
        return Choice(None, f"no structure: {_refusals(measured, settings)}", measured)

    by_future = any(math.isfinite(candidate.usefulness) for candidate in allowed)
    worth = (lambda c: c.usefulness) if by_future else (lambda c: c.silhouette)
    measure = "usefulness on the newest matured future" if by_future else "silhouette (no matured future yet)"
    best = max(allowed, key=lambda c: (round(worth(c), 6), -c.k))
    within = [candidate for candidate in allowed if worth(candidate) >= worth(best) - settings.tolerance]
    if kept is not None and kept in within:
        chosen = kept
        why = f"the {kept.k} segments of the night before are kept"
    else:
        chosen = min(within, key=lambda c: c.k)
        why = f"the fewest segments ({chosen.k})"
    verdict, structured = _structure(sample, chosen, settings)
    if not structured:
        return Choice(None, f"no structure: {verdict}", measured)
    reason = (
        f"{why}: {measure} {worth(chosen):.3f} is within {settings.tolerance:g} of the best "
        f"({worth(best):.3f} with {best.k}); stability {chosen.stability:.2f}, "
        f"smallest segment {chosen.smallest_share:.1%}; {verdict}"
    )
    return Choice(chosen, reason, measured)


def _measure(
    name: str,
    centroids: NDArray[np.float64],
    sample: NDArray[np.float64],
    settings: ClusterSettings,
    future: Future | None,
) -> Candidate:
    labels = kmeans.nearest(sample, centroids)
    k = len(centroids)
    share = float(np.bincount(labels, minlength=k).min()) / len(labels)
    stability = _stability(sample, centroids, settings)
    refused = ""
    if share < settings.minimum_share:
        refused = f"smallest segment {share:.1%} is under {settings.minimum_share:.1%}"
    elif stability < settings.minimum_stability:
        refused = f"stability {stability:.2f} is under {settings.minimum_stability:.2f}"
    figures = {"usefulness": np.nan, "spend_r2": np.nan, "orders_r2": np.nan, "bought_r2": np.nan, "habits_r2": np.nan}
    if future is not None:
        figures = _usefulness(kmeans.nearest(future.outlook, centroids), future, settings.seed)
    return Candidate(
        name=name,
        k=k,
        centroids=centroids,
        stability=stability,
        smallest_share=share,
        silhouette=kmeans.silhouette(sample, labels, _SHAPE_SAMPLE, settings.seed),
        refused=refused,
        **figures,
    )


def _usefulness(labels: NDArray[np.int64], future: Future, seed: int) -> dict[str, float]:
    found = score_segments(labels, future.spend, future.orders, future.bought, seed)
    habits = [crossfit_r2(column, labels, seed) for column in future.habits.T]
    habits_r2 = float(np.nanmean(habits)) if np.isfinite(habits).any() else float("nan")
    # a shop with a clickstream is segmented by what is done there as well, as a fourth question of equal weight
    parts = [part for part in (found.spend_r2, found.orders_r2, found.bought_r2, habits_r2) if math.isfinite(part)]
    return {
        "usefulness": float(np.mean(parts)) if parts else float("nan"),
        "spend_r2": found.spend_r2,
        "orders_r2": found.orders_r2,
        "bought_r2": found.bought_r2,
        "habits_r2": habits_r2,
    }


def _stability(sample: NDArray[np.float64], centroids: NDArray[np.float64], settings: ClusterSettings) -> float:
    """Mean adjusted Rand index between the grouping and those found on resamples of the customers."""
    from sklearn.metrics import adjusted_rand_score

    rows = kmeans.sample_rows(len(sample), _RESAMPLE, settings.seed)
    judged = sample[rows]
    labels = kmeans.nearest(judged, centroids)
    generator = np.random.default_rng(settings.seed)
    agreement = []
    for turn in range(settings.bootstraps):
        # resampling with replacement, as weights: a customer counts as often as they were drawn
        drawn = np.bincount(generator.integers(0, len(judged), len(judged)), minlength=len(judged)).astype(float)
        again = kmeans.fit(judged, len(centroids), settings.seed + turn, starts=2, weights=drawn)
        agreement.append(adjusted_rand_score(labels, kmeans.nearest(judged, again)))
    return float(np.mean(agreement))


def _structure(sample: NDArray[np.float64], chosen: Candidate, settings: ClusterSettings) -> tuple[str, bool]:
    """Ask whether the segments are more than slices of one cloud that foretell nothing.

    Either is enough: they foretell the future, or they are more separate than segments of a single
    Gaussian cloud with the same mean and covariance.
    """
    if math.isfinite(chosen.usefulness) and chosen.usefulness >= MINIMUM_USEFULNESS:
        return f"they foretell {chosen.usefulness:.1%} of the differences between customers", True
    rows = kmeans.sample_rows(len(sample), _SHAPE_SAMPLE, settings.seed)
    cloud = np.random.default_rng(settings.seed).multivariate_normal(
        sample.mean(axis=0), np.atleast_2d(np.cov(sample, rowvar=False)), size=len(rows), method="eigh"
    )
    of_cloud = kmeans.silhouette(
        cloud, kmeans.nearest(cloud, kmeans.fit(cloud, chosen.k, settings.seed, starts=2)), _SHAPE_SAMPLE, settings.seed
    )
    shape = f"silhouette {chosen.silhouette:.2f} against {of_cloud:.2f} of one cloud without groups"
    if chosen.silhouette >= of_cloud + SHAPE_MARGIN:
        return f"they are separate groups ({shape})", True
    foretold = (
        f"the segments foretell only {chosen.usefulness:.1%} of the differences between customers, and "
        if math.isfinite(chosen.usefulness)
        else ""
    )
    return f"{foretold}{shape} shows no groups", False


def _refusals(candidates: Sequence[Candidate], settings: ClusterSettings) -> str:
    if not candidates:
        return f"fewer than {settings.k_min} different customers"
    told = pd.Series([f"{candidate.name.removeprefix('kmeans_')}: {candidate.refused}" for candidate in candidates])
    return f"no number of segments is allowed ({'; '.join(told.drop_duplicates())})"
