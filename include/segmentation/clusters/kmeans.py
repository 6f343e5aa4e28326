"""K-means that gives the same bytes every time: one thread, fixed seeds, rounded centroids.

Shapes: B customers, Q outlook columns, K segments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

KMEANS = "kmeans"
#: Decimals kept of a centroid: the last bits differ between processors, and no label should depend on them.
DECIMALS = 6
_ROWS_AT_ONCE = 100_000
_ALONE = ContextVar("inside one_thread", default=False)


@dataclass(frozen=True)
class Centroids:
    """K centres; everybody belongs to the nearest.

    Attributes
    ----------
    centroids : (K, Q)
    """

    centroids: Floats

    @property
    def algorithm(self) -> str:
        """The name that the segmentation carries."""
        return KMEANS

    @property
    def parameters(self) -> Mapping[str, float | str]:
        """What a refit needs to know beside the labels: nothing."""
        return {}

    @property
    def k(self) -> int:
        """K, the number of groups."""
        return len(self.centroids)

    def taken(self, order: NDArray[np.intp]) -> Centroids:
        """Return the groups numbered ``order`` in that order."""
        return Centroids(self.centroids[order])

    def distances(self, values: Floats) -> Floats:
        """Return the Euclidean distance of each customer to each centroid, (B, K)."""
        return distances(values, self.centroids)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep numeric libraries to one thread inside the block: sums over threads depend on their order."""
    if _ALONE.get():
        # looking for the libraries takes longer than many a fit
        yield
        return
    # a library that is loaded inside the block would keep its threads
    import sklearn.cluster
    import sklearn.metrics
    import sklearn.mixture  # noqa: F401
    from threadpoolctl import threadpool_limits

    token = _ALONE.set(True)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        _ALONE.reset(token)


def fit(values: Floats, k: int, seed: int, starts: int = 5, weights: Floats | None = None) -> Floats:
    """Find ``k`` centroids.

    Parameters
    ----------
    values : (B, Q)
    k : number of centroids, at most the number of different rows
    seed : seed of the starts
    starts : random starts, the best is kept
    weights : (B,) how often each row counts; None = once

    Returns
    -------
    (K, Q) centroids, rounded; fewer than ``k`` if the rows have fewer different values
    """
    from sklearn.cluster import KMeans

    k = min(k, len(np.unique(values, axis=0)))
    with one_thread():
        model = KMeans(k, n_init=starts, random_state=seed).fit(values, sample_weight=weights)
    return np.round(model.cluster_centers_, DECIMALS)


def refit(values: Floats, centroids: Floats, steps: int, weights: Floats | None = None) -> Floats:
    """Move ``centroids`` by a few Lloyd steps, so that each stays the successor of what it was.

    Parameters
    ----------
    values : (B, Q)
    centroids : (K, Q) where to start
    steps : Lloyd steps
    weights : (B,) how often each row counts; None = once

    Returns
    -------
    (K, Q) centroids in the same order; one that nobody is nearest to stays where it was
    """
    moved = centroids.copy()
    for _ in range(steps):
        moved = means(values, nearest(values, moved), moved, weights)
    return moved


def means(values: Floats, labels: Labels, empty: Floats, weights: Floats | None = None) -> Floats:
    """Return the mean of each group's rows, (K, Q), rounded.

    Parameters
    ----------
    values : (B, Q)
    labels : (B,) group 0..K-1
    empty : (K, Q) what a group without rows gets
    weights : (B,) how often each row counts; None = once
    """
    weights = np.ones(len(values)) if weights is None else weights
    total = np.bincount(labels, weights=weights, minlength=len(empty))
    sums = np.stack(
        [np.bincount(labels, weights=weights * column, minlength=len(empty)) for column in values.T], axis=1
    )
    return rounded(np.where(total[:, None] > 0, sums / np.where(total > 0, total, 1.0)[:, None], empty))


def distances(values: Floats, centroids: Floats) -> Floats:
    """Return the Euclidean distance of each customer to each centroid, (B, K)."""
    found = np.empty((len(values), len(centroids)))
    for start in range(0, len(values), _ROWS_AT_ONCE):
        rows = values[start : start + _ROWS_AT_ONCE]
        for index, centroid in enumerate(centroids):
            # differences, not the expanded square: exact for a customer who sits on a centroid
            found[start : start + len(rows), index] = np.sqrt(((rows - centroid) ** 2).sum(axis=1))
    return found


def nearest(values: Floats, centroids: Floats) -> Labels:
    """Return the index of each customer's nearest centroid, (B,); the lowest index among equals."""
    return distances(values, centroids).argmin(axis=1).astype(np.int64)


def silhouette(values: Floats, labels: Labels, sample: int, seed: int) -> float:
    """Return the mean silhouette (-1 to 1) of at most ``sample`` customers; NaN for fewer than two clusters."""
    from sklearn.metrics import silhouette_score

    chosen = sample_rows(len(values), sample, seed)
    if not 2 <= len(np.unique(labels[chosen])) < len(chosen):
        return float("nan")
    with one_thread():
        return float(silhouette_score(values[chosen], labels[chosen]))


def rounded(values: Floats) -> Floats:
    """Return ``values`` without the digits that differ between processors."""
    return np.asarray(np.round(values, DECIMALS), dtype=np.float64)


def sample_rows(size: int, sample: int, seed: int) -> Labels:
    """Return at most ``sample`` row numbers in ascending order, the same ones for the same seed."""
    if size <= sample:
        return np.arange(size, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(size, sample, replace=False)).astype(np.int64)
