"""A fitted grouping, whichever algorithm found it: distances to its segments, and a way to follow it at night.

All that a night hands to the next is labels, the algorithm's name and its parameters. From these, each algorithm
finds its segments again in tonight's outlook, whose columns or scale may be others: K-means and mixtures start from
their customers' means (and covariances) and follow by a few steps; density groups are their customers.
Shapes: B customers, Q outlook columns, K segments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from segmentation.clusters import density, kmeans, mixture
from segmentation.clusters.density import DBSCAN, HDBSCAN
from segmentation.clusters.kmeans import KMEANS, Floats, Labels
from segmentation.clusters.mixture import GMM

#: Every algorithm that is searched, the simplest to explain first.
ALGORITHMS = (KMEANS, GMM, DBSCAN, HDBSCAN)
#: The ones that find the number of groups themselves.
DENSITY = (DBSCAN, HDBSCAN)
#: Steps on a night without a search: enough to follow the customers, too few to wander off.
REFIT_STEPS = 3


class Fitted(Protocol):
    """Groups that customers can be near to: `kmeans.Centroids`, `mixture.Mixture` or `density.References`."""

    @property
    def algorithm(self) -> str:
        """One of `ALGORITHMS`."""

    @property
    def parameters(self) -> Mapping[str, float | str]:
        """What a refit needs to know beside the labels."""

    @property
    def k(self) -> int:
        """K, the number of groups."""

    @property
    def centroids(self) -> Floats:
        """Middle of each group, (K, Q)."""

    def taken(self, order: NDArray[np.intp]) -> Fitted:
        """Return the groups numbered ``order`` in that order."""

    def distances(self, values: Floats) -> Floats:
        """Return how far each customer is from each group, (B, K), 0 or more; only compared within a customer."""


def nearest(fitted: Fitted, values: Floats) -> Labels:
    """Return the index of each customer's nearest group, (B,); the lowest index among equals."""
    return fitted.distances(values).argmin(axis=1).astype(np.int64)


def refit(
    values: Floats, labels: Labels, k: int, algorithm: str, parameters: Mapping[str, float | str], seed: int
) -> Fitted:
    """Find the groups that customers were in again, where these customers are now.

    Parameters
    ----------
    values : (B, Q) tonight
    labels : (B,) group 0..K-1 of each customer, -1 = none; each group has somebody
    k : K
    algorithm : one of `ALGORITHMS`
    parameters : as the fitted grouping gave them
    seed : of the draw of references

    Returns
    -------
    Fitted
        The K groups in the same order.

    Raises
    ------
    ValueError
        If the algorithm is none of them.
    """
    if algorithm == KMEANS:
        means = np.round(np.stack([values[labels == group].mean(axis=0) for group in range(k)]), kmeans.DECIMALS)
        return kmeans.Centroids(kmeans.refit(values, means, REFIT_STEPS))
    if algorithm == GMM:
        return mixture.refit(values, labels, k, str(parameters["covariance"]), REFIT_STEPS)
    if algorithm in DENSITY:
        return density.refit(values, labels, algorithm, parameters, seed)
    raise ValueError(f"algorithm {algorithm!r} is none of {', '.join(ALGORITHMS)}")
