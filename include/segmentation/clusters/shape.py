"""How separate groups are, measured so that it is fair to groups of any shape.

The silhouette asks whether a customer is nearer to their own group than to the next; that is right for balls and
unfair to rings and long clouds, whose ends are far apart. Two figures without that bias stand beside it:

* *separation*: do a customer's nearest neighbours have the same label? It is Newman's assortativity [1]_ of the
  graph of the 10 nearest neighbours: 1 = no neighbour is in another group, 0 = as if labels were drawn. A border
  through a crowd costs it, whatever the groups' shape.
* *path silhouette*: the silhouette over paths through customers. The length of a path is its longest step, and a
  step into a thin place is long (mutual reachability, as in HDBSCAN and the validity index DBCV [2]_). It is above 0
  if thin places lie between the groups, near 0 or below if a border cuts a crowd, and lower if groups are lumped.

Shapes: B customers judged.

References
----------
.. [1] Newman, M. E. J. (2003). Mixing patterns in networks. Physical Review E 67.
.. [2] Moulavi, D., Jaskowiak, P., Campello, R., Zimek, A. and Sander, J. (2014). Density-based clustering
   validation. SIAM International Conference on Data Mining.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.clusters import density, kmeans
from segmentation.clusters.kmeans import Floats, Labels

#: Customers judged, at most: each is compared with each.
JUDGED = 2_000
#: Neighbours that count for separation, and whose distance says how thin a place is.
_NEIGHBOURS = 10


@dataclass(frozen=True)
class Shape:
    """What lies near what among B customers; made once, then each grouping is held against it.

    Attributes
    ----------
    judged : (B, Q)
    straight : (B, B) distances
    paths : (B, B) longest step of the best path
    neighbours : (B, N) numbers of the nearest others
    """

    judged: Floats
    straight: Floats
    paths: Floats
    neighbours: NDArray[np.intp]


def look(values: Floats, seed: int) -> Shape:
    """Measure what lies near what among at most `JUDGED` of the customers ``values`` (B, Q), at least two."""
    from scipy.cluster.hierarchy import cophenet, single
    from scipy.spatial.distance import squareform

    judged = values[kmeans.sample_rows(len(values), JUDGED, seed)]
    straight = density.between(judged)
    count = min(_NEIGHBOURS, len(judged) - 1)
    # of customers in the same place the first ones count, and oneself (distance 0) not
    others = straight + np.diag(np.full(len(judged), np.inf))
    neighbours = np.argsort(others, axis=1, kind="stable")[:, :count]
    thinness = np.take_along_axis(straight, neighbours[:, -1:], axis=1)[:, 0]
    steps = np.maximum(straight, np.maximum(thinness[:, None], thinness[None, :]))
    np.fill_diagonal(steps, 0.0)
    paths = squareform(cophenet(single(squareform(steps, checks=False))))
    return Shape(judged, straight, paths, neighbours)


def separation(shape: Shape, labels: Labels) -> float:
    """Return how seldom neighbours are in different groups (1 = never, 0 = as by chance); NaN for one group."""
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    by_chance = float((shares**2).sum())
    if len(shares) < 2:
        return float("nan")
    same = float((labels[shape.neighbours] == labels[:, None]).mean())
    return (same - by_chance) / (1.0 - by_chance)


def silhouette(shape: Shape, labels: Labels) -> float:
    """Return the mean silhouette (-1 to 1) over straight distances; NaN for fewer than two groups."""
    return _silhouette(shape.straight, labels)


def path_silhouette(shape: Shape, labels: Labels) -> float:
    """Return the mean silhouette (-1 to 1) over paths through customers; NaN for fewer than two groups."""
    return _silhouette(shape.paths, labels)


def _silhouette(away: Floats, labels: Labels) -> float:
    groups, codes = np.unique(labels, return_inverse=True)
    if not 2 <= len(groups) < len(labels):
        return float("nan")
    rows = np.arange(len(codes))
    belongs = np.zeros((len(codes), len(groups)))
    belongs[rows, codes] = 1.0
    counts = belongs.sum(axis=0)
    with kmeans.one_thread():
        sums = away @ belongs
    own = sums[rows, codes] / np.maximum(counts[codes] - 1.0, 1.0)
    means = sums / counts
    means[rows, codes] = np.inf
    other = means.min(axis=1)
    larger = np.maximum(own, other)
    found = np.divide(other - own, larger, out=np.zeros(len(codes)), where=larger > 0)
    # a customer alone in a group is neither near nor far
    return float(np.where(counts[codes] > 1, found, 0.0).mean())
