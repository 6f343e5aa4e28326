"""Which of tonight's clusters is which of last night's segments: Hungarian matching on shared customers.

A cluster continues a segment when they share enough customers; otherwise it is born with a number never
used before. What ends is retired. Shapes: B customers, K clusters of tonight, S segments of last night.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Shared customers as a share of both together (Jaccard) that make a cluster the successor of a segment ...
MINIMUM_JACCARD = 0.3
#: ... or as a share of the smaller view: most of the cluster came from it, or most of the segment went there.
MAJORITY = 0.5
#: Share of a segment's customers that makes a cluster one of its parts, or share of a cluster that makes a parent.
PART = 0.2


@dataclass(frozen=True)
class Change:
    """One line of the lifecycle.

    Attributes
    ----------
    kind : born, retired, split or merged
    segment_id : the segment born or retired; the one that was split; the one that took others in
    others : where a born one came from, where a retired one went, the parts, the ones taken in
    """

    kind: str
    segment_id: int
    others: tuple[int, ...]


@dataclass(frozen=True)
class Identity:
    """Tonight's segment numbers.

    Attributes
    ----------
    ids : (K,) segment id of each cluster
    born, retired : segment ids new tonight; ids that end tonight
    lineage : for a born id, the share of its known customers by the segment they come from
    changes : the lifecycle of the night
    next_segment_id : first number never used
    """

    ids: NDArray[np.int64]
    born: tuple[int, ...]
    retired: tuple[int, ...]
    lineage: dict[int, dict[int, float]]
    changes: tuple[Change, ...]
    next_segment_id: int


def match(
    clusters: NDArray[np.int64],
    held: NDArray[np.int64],
    k: int,
    active: Sequence[int],
    next_segment_id: int,
) -> Identity:
    """Give each of tonight's clusters its segment id.

    Parameters
    ----------
    clusters : (B,) cluster 0..K-1 of each customer tonight
    held : (B,) segment id of the same customers last night; any value not in ``active`` = none
    k : K, number of clusters; number them in the order in which new ones shall get their ids
    active : last night's segment ids, S of them
    next_segment_id : first number never used

    Examples
    --------
    >>> tonight = np.array([1, 1, 1, 0, 0, 2, 2])
    >>> before = np.array([7, 7, 7, 8, 8, 8, -1])
    >>> found = match(tonight, before, k=3, active=[7, 8], next_segment_id=9)
    >>> found.ids.tolist(), found.born, found.next_segment_id
    ([8, 7, 9], (9,), 10)
    """
    from scipy.optimize import linear_sum_assignment

    before = np.asarray(sorted(active), dtype=np.int64)
    place = np.searchsorted(before, held)
    known = np.isin(held, before)
    shared = np.zeros((k, len(before)))
    np.add.at(shared, (clusters[known], place[known]), 1.0)
    of_cluster = np.maximum(shared.sum(axis=1, keepdims=True), 1.0)
    of_segment = np.maximum(shared.sum(axis=0, keepdims=True), 1.0)
    jaccard = shared / np.maximum(of_cluster + of_segment - shared, 1.0)
    enough = (jaccard >= MINIMUM_JACCARD) | (shared > MAJORITY * of_cluster) | (shared > MAJORITY * of_segment)
    enough &= shared > 0

    ids = np.full(k, -1, dtype=np.int64)
    worth = np.where(enough, jaccard, 0.0)
    for cluster, segment in zip(*linear_sum_assignment(worth, maximize=True), strict=True):
        if enough[cluster, segment]:
            ids[cluster] = before[segment]
    born = []
    for cluster in range(k):
        if ids[cluster] < 0:
            ids[cluster] = next_segment_id
            born.append(next_segment_id)
            next_segment_id += 1
    retired = tuple(int(segment) for segment in before if segment not in ids)
    from_share, to_share = shared / of_cluster, shared / of_segment
    lineage = {
        segment: {
            int(before[s]): round(float(from_share[cluster, s]), 4)
            for s in np.argsort(-from_share[cluster], kind="stable")
            if from_share[cluster, s] > 0
        }
        for cluster, segment in enumerate(ids.tolist())
        if segment in born
    }
    changes = _lifecycle(ids, before, tuple(born), retired, from_share, to_share)
    return Identity(ids, tuple(born), retired, lineage, changes, next_segment_id)


def _lifecycle(
    ids: NDArray[np.int64],
    before: NDArray[np.int64],
    born: tuple[int, ...],
    retired: tuple[int, ...],
    from_share: NDArray[np.float64],
    to_share: NDArray[np.float64],
) -> tuple[Change, ...]:
    changes: list[Change] = []
    for cluster, segment in enumerate(ids.tolist()):
        if segment in born:
            parents = before[from_share[cluster] >= PART]
            changes.append(Change("born", segment, tuple(int(parent) for parent in parents)))
    for s, segment in enumerate(before.tolist()):
        heirs = ids[to_share[:, s] >= PART]
        if segment in retired:
            changes.append(Change("retired", segment, tuple(sorted(int(heir) for heir in heirs))))
        # its parts: clusters that are mostly made of it and hold a good part of it
        parts = ids[(to_share[:, s] >= PART) & (from_share[:, s] > MAJORITY)]
        if len(parts) > 1 and any(part in born for part in parts.tolist()):
            changes.append(Change("split", segment, tuple(sorted(int(part) for part in parts))))
    for cluster, segment in enumerate(ids.tolist()):
        taken = [
            int(s)
            for s in before[(to_share[cluster] > MAJORITY) & (from_share[cluster] >= PART)]
            if s in retired and s != segment
        ]
        if taken:
            changes.append(Change("merged", segment, tuple(taken)))
    return tuple(changes)
