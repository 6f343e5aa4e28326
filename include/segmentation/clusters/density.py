"""DBSCAN and HDBSCAN: groups of any shape, wherever customers lie dense with emptier space around.

Both find the number of groups themselves, and call customers in thin places noise. A marketer needs a segment
for everybody, so noise goes to the nearest group; the share of noise is told with the candidate, and one with
too much is refused. What is kept of a group is a sample of its customers, the *references*: a customer's
distance to it is the mean distance to the nearest few of these. Shapes: B customers, Q outlook columns,
K segments, R references.

References
----------
Ester, M., Kriegel, H.-P., Sander, J. and Xu, X. (1996). A density-based algorithm for discovering clusters in
large spatial databases with noise. KDD.
Campello, R., Moulavi, D. and Sander, J. (2013). Density-based clustering based on hierarchical density
estimates. PAKDD.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from segmentation.clusters import kmeans
from segmentation.clusters.kmeans import DECIMALS, Floats, Labels

DBSCAN = "dbscan"
HDBSCAN = "hdbscan"
#: What a density algorithm calls a customer in a thin place.
NOISE = -1
#: Customers that a density algorithm is run on, at most: it compares each with each.
FITTED_ON = 2_500
#: References kept of all groups together, at most: the cost of a distance.
REFERENCES = 1_500
#: References of one group that a customer's distance is the mean of.
_NEAREST = 5
_ROWS_AT_ONCE = 5_000


@dataclass(frozen=True)
class References:
    """Groups as samples of their customers.

    Attributes
    ----------
    algorithm : 'dbscan' or 'hdbscan', by which the groups were found
    parameters : how; kept for the record, since a refit needs the customers alone
    values : (R, Q) references
    groups : (R,) group 0..K-1 of each
    noise_share : share (0 to 1) of the customers fitted on that was noise; NaN after a refit
    """

    algorithm: str
    parameters: Mapping[str, float | str]
    values: Floats
    groups: Labels
    noise_share: float

    @property
    def k(self) -> int:
        """K, the number of groups."""
        return int(self.groups.max()) + 1 if len(self.groups) else 0

    @property
    def centroids(self) -> Floats:
        """Mean of each group's references, (K, Q): to describe it; a ring's lies where nobody is."""
        return np.round(np.stack([self.values[self.groups == group].mean(axis=0) for group in range(self.k)]), DECIMALS)

    def taken(self, order: NDArray[np.intp]) -> References:
        """Return the groups numbered ``order`` in that order."""
        place = np.full(self.k, -1, dtype=np.int64)
        place[order] = np.arange(len(order))
        groups = place[self.groups]
        return replace(self, values=self.values[groups >= 0], groups=groups[groups >= 0])

    def distances(self, values: Floats) -> Floats:
        """Return the mean distance of each customer to the nearest few references of each group, (B, K)."""
        from scipy.spatial.distance import cdist

        found = np.empty((len(values), self.k))
        of_group = [self.values[self.groups == group] for group in range(self.k)]
        for start in range(0, len(values), _ROWS_AT_ONCE):
            rows = values[start : start + _ROWS_AT_ONCE]
            for group, references in enumerate(of_group):
                few = min(_NEAREST, len(references))
                # differences, not the expanded square, and a sum in ascending order: the same on every machine
                nearest = np.sort(np.partition(cdist(rows, references), few - 1, axis=1)[:, :few], axis=1)
                found[start : start + len(rows), group] = nearest.mean(axis=1)
        return np.round(found, DECIMALS)


def fit_dbscan(
    values: Floats, min_samples: int, quantile: float, share: float, away: Floats | None = None
) -> References | None:
    """Find the groups of DBSCAN.

    Parameters
    ----------
    values : (B, Q), few enough to compare each with each
    min_samples : customers within reach that make a place dense, oneself among them
    quantile : the reach is this quantile (0 to 1) of the distance to the ``min_samples``-th customer, so that
        it follows the scale and the number of the customers
    share : a crumb of fewer customers than this share (0 to 1) is noise: it is no segment
    away : (B, B) distances, if they are known already

    Returns
    -------
    References or None
        None if there is no dense place.
    """
    from sklearn.cluster import DBSCAN as Model

    away = between(values) if away is None else away
    place = min(min_samples, len(values)) - 1
    reach = float(np.quantile(np.partition(away, place, axis=1)[:, place], quantile))
    if reach <= 0:
        return None
    with kmeans.one_thread():
        labels = Model(eps=reach, min_samples=min_samples, metric="precomputed").fit_predict(away)
    counts = np.bincount(labels[labels >= 0])
    large = np.flatnonzero(counts >= share * len(values))
    renumbered = np.full(len(counts) + 1, NOISE)
    renumbered[large] = np.arange(len(large))
    parameters = {"min_samples": min_samples, "quantile": quantile, "share": share}
    return _references(DBSCAN, parameters, values, renumbered[labels])


def fit_hdbscan(values: Floats, min_samples: int, share: float, away: Floats | None = None) -> References | None:
    """Find the groups of HDBSCAN.

    Parameters
    ----------
    values : (B, Q), few enough to compare each with each
    min_samples : customers whose distance says how thin a place is, oneself among them
    share : smallest group as a share (0 to 1) of the customers
    away : (B, B) distances, if they are known already

    Returns
    -------
    References or None
        None if there is no group.
    """
    from sklearn.cluster import HDBSCAN as Model

    away = between(values) if away is None else away
    smallest = max(int(np.ceil(share * len(values))), 2)
    if max(smallest, min_samples) >= len(values):
        return None
    with kmeans.one_thread():
        model = Model(min_cluster_size=smallest, min_samples=min_samples, metric="precomputed", copy=True)
        labels = model.fit_predict(away)
    return _references(HDBSCAN, {"min_samples": min_samples, "share": share}, values, labels)


def refit(
    values: Floats, labels: Labels, algorithm: str, parameters: Mapping[str, float | str], seed: int
) -> References:
    """Take last night's groups as they lie tonight: their customers are the references.

    Parameters
    ----------
    values : (B, Q) tonight
    labels : (B,) group 0..K-1 of each customer, -1 = none; each group has somebody
    algorithm : 'dbscan' or 'hdbscan'
    parameters : how the groups were found
    seed : of the draw of references
    """
    return _sampled(algorithm, parameters, values, labels, float("nan"), seed)


def between(values: Floats) -> Floats:
    """Return the distance of each customer to each, (B, B)."""
    from scipy.spatial.distance import pdist, squareform

    return squareform(pdist(values))


def _references(
    algorithm: str, parameters: Mapping[str, float | str], values: Floats, labels: NDArray[np.intp]
) -> References | None:
    if labels.max(initial=NOISE) == NOISE:
        return None
    noise = float(np.mean(labels == NOISE))
    return _sampled(algorithm, parameters, values, labels.astype(np.int64), noise, seed=0)


def _sampled(
    algorithm: str, parameters: Mapping[str, float | str], values: Floats, labels: Labels, noise: float, seed: int
) -> References:
    """Draw references from all groups alike: a group that is thinned more would seem farther away."""
    known = np.flatnonzero(labels >= 0)
    k = int(labels[known].max()) + 1
    rows = known[kmeans.sample_rows(len(known), REFERENCES, seed)]
    # a group that the draw missed altogether is kept by a few of its customers
    counts = np.bincount(labels[rows], minlength=k)
    few = [known[labels[known] == group][:_NEAREST] for group in np.flatnonzero(counts < _NEAREST)]
    rows = np.unique(np.concatenate([rows, *few]))
    return References(algorithm, parameters, values[rows], labels[rows], noise)
