"""What customers are grouped by: what they will do and how much of it, or only how they go about it.

Customers of one manner (who search first, or follow campaigns, or fill a cart and come back) may order seldom or
often. Grouped by all that is foreseen, they are sliced by how much they do, which most of the columns say in one
way or the other. So the columns that say how customers order and visit, *given* that they do, are looked at apart. If
they show groups that lie apart by far more than the columns' own shapes explain, these are types of customers and are
published. Otherwise customers are grouped by value first, with habits beside it.

Shapes: B customers, Q outlook columns.

References
----------
.. [1] Tibshirani, R., Walther, G. and Hastie, T. (2001). Estimating the number of clusters in a data set via the gap
   statistic. Journal of the Royal Statistical Society B 63: groups are held against data that has none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.clusters import kmeans
from segmentation.clusters.choose import Future, usefulness
from segmentation.clusters.shape import JUDGED
from segmentation.config import ClusterSettings
from segmentation.encoder.heads import MANNERS

#: Outlook columns that say how valuable a customer will be; all others are habits.
VALUE_COLUMNS = ("q_bought", "q_spend", "q_orders")
#: How much a habit may count beside a column of value, most first.
HABIT_WEIGHTS = (1.0, 0.5, 0.25)
#: Usefulness (R²) given up for habits that count more.
HABIT_TOLERANCE = 0.01
#: Silhouette by which groups of manner must beat those of customers without groups to be types of customers, and to
#: go on being types if they were last night.
TYPES_MARGIN = 0.15
KEPT_MARGIN = 0.10
#: Columns of manner below which no types are looked for: one or two hardly tell more than a slice.
FEWEST_MANNERS = 3


@dataclass(frozen=True)
class View:
    """The columns that count.

    Attributes
    ----------
    manners : True: those alone that say how customers order and visit, all alike
    habit_weight : otherwise, how much a habit counts beside a column of value
    """

    manners: bool = False
    habit_weight: float = HABIT_WEIGHTS[0]

    def weights(self, columns: Sequence[str], base: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each column counts, (Q,), of columns that count ``base`` by themselves; 0 = not looked at.

        Examples
        --------
        >>> columns = ["q_spend", "q_sessions", "q_returns_share"]
        >>> View(habit_weight=0.5).weights(columns, np.array([1.0, 1.0, 0.3])).tolist()
        [1.0, 0.5, 0.15]
        >>> View(manners=True).weights(columns, np.array([1.0, 1.0, 0.3])).tolist()
        [0.0, 0.0, 1.0]
        """
        if self.manners:
            return _are_manners(columns).astype(np.float64)
        return base * _habit_scale(columns, self.habit_weight)


def choose_view(
    values: NDArray[np.float64],
    columns: Sequence[str],
    base: NDArray[np.float64],
    settings: ClusterSettings,
    future: Future | None,
    present: View | None = None,
) -> tuple[View, str]:
    """Choose what customers are grouped by.

    Parameters
    ----------
    values : (B, Q) tonight's outlook, unweighted
    columns : names of the Q columns
    base : (Q,) what each column counts by itself
    settings : bounds, tolerance, seeds
    future : the newest matured horizon, unweighted; None = there is none
    present : the view of the night before, kept while no other is clearly better

    Returns
    -------
    View
        Deterministic for the same inputs.
    str
        Why, in words.
    """
    with kmeans.one_thread():
        gain, told = _apart(values[:, _are_manners(columns)], settings)
        if gain >= (KEPT_MARGIN if present is not None and present.manners else TYPES_MARGIN):
            return View(manners=True), told
        kept = present.habit_weight if present is not None and not present.manners else None
        weight = _choose_habit_weight(values * base, columns, base, settings, future, kept)
    return View(habit_weight=weight), f"{told}; habits count {weight:g}"


def _apart(manners: NDArray[np.float64], settings: ClusterSettings) -> tuple[float, str]:
    """Return by how much the silhouette of the customers' manners beats that of customers without groups, in words too.

    Two such crowds are held against: one Gaussian cloud with the same covariance, which has no groups, and the same
    columns shuffled each for itself, which has the groups that a single column makes (some customers get campaigns,
    some do not) and no others.
    """
    if manners.shape[1] < FEWEST_MANNERS:
        return -math.inf, f"{manners.shape[1]} columns of manner are too few to look for types of customers"
    judged = manners[kmeans.sample_rows(len(manners), JUDGED, settings.seed)]
    if len(np.unique(judged, axis=0)) <= settings.k_max:
        return -math.inf, "customers' manners do not differ"
    generator = np.random.default_rng(settings.seed)
    cloud = generator.multivariate_normal(
        judged.mean(axis=0), np.cov(judged, rowvar=False), size=len(judged), method="eigh"
    )
    shuffled = generator.permuted(judged, axis=0)
    gains = {}
    for k in range(settings.k_min, settings.k_max + 1):
        found = [_silhouette(crowd, k, settings.seed) for crowd in (judged, cloud, shuffled)]
        gains[k] = (found[0], max(found[1:]))
    k = max(gains, key=lambda k: (round(gains[k][0], 6), -k))
    real, without = gains[k]
    told = f"silhouette {real:.2f} of {k} groups by manner against {without:.2f} without types"
    if real - without >= TYPES_MARGIN:
        return real - without, f"customers are of types by how they order and visit ({told})"
    return real - without, f"no types by how customers order and visit ({told})"


def _silhouette(values: NDArray[np.float64], k: int, seed: int) -> float:
    return kmeans.silhouette(values, kmeans.nearest(values, kmeans.fit(values, k, seed, starts=3)), len(values), seed)


def _choose_habit_weight(
    values: NDArray[np.float64],
    columns: Sequence[str],
    base: NDArray[np.float64],
    settings: ClusterSettings,
    future: Future | None,
    present: float | None,
) -> float:
    """Choose how much the habit columns count in distances.

    Every habit pulls segments away from value. Where habits tell the segments' future behaviour (a clickstream) that
    pays, in a shop of orders alone it may cost more than it brings: the newest matured future says which. K-means
    stands in for all algorithms here. The largest weight whose usefulness, averaged over numbers of segments, is
    within tolerance of the best is chosen; the present one is kept if it is among these.
    """
    if future is None or all(column in VALUE_COLUMNS for column in columns):
        return HABIT_WEIGHTS[0] if present is None else present
    future = future.sampled(settings.sample, settings.seed)
    sample = values[kmeans.sample_rows(len(values), settings.sample, settings.seed)]
    found = {}
    for weight in HABIT_WEIGHTS:
        scale = _habit_scale(columns, weight)
        worth = []
        for k in range(settings.k_min, settings.k_max + 1, 2):
            centroids = kmeans.fit(sample * scale, k, settings.seed, starts=3)
            labels = kmeans.nearest(future.outlook * base * scale, centroids)
            worth.append(usefulness(labels, future, settings.seed)["usefulness"])
        found[weight] = float(np.mean(worth))
    best = max(found.values())
    if not math.isfinite(best):
        return HABIT_WEIGHTS[0]
    within = [weight for weight in HABIT_WEIGHTS if found[weight] >= best - HABIT_TOLERANCE]
    return present if present in within else within[0]


def _habit_scale(columns: Sequence[str], weight: float) -> NDArray[np.float64]:
    return np.array([1.0 if column in VALUE_COLUMNS else weight for column in columns])


def _are_manners(columns: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([column in MANNERS for column in columns], dtype=bool)
