"""A segment's number means the same customers from night to night, and is never given twice."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.clusters.identity import match


def test_shuffled_clusters_keep_their_ids() -> None:
    held = np.repeat([3, 5, 8], 100)
    tonight = np.repeat([2, 0, 1], 100)
    found = match(tonight, held, k=3, active=[3, 5, 8], next_segment_id=9)
    assert found.ids.tolist() == [5, 8, 3]
    assert found.born == found.retired == ()
    assert found.changes == ()
    assert found.next_segment_id == 9


def test_a_cluster_of_new_customers_is_born() -> None:
    held = np.concatenate([np.repeat([1, 2], 100), np.full(60, -1)])
    tonight = np.concatenate([np.repeat([0, 1], 100), np.full(60, 2)])
    found = match(tonight, held, k=3, active=[1, 2], next_segment_id=7)
    assert found.ids.tolist() == [1, 2, 7]
    assert [(c.kind, c.segment_id, c.others) for c in found.changes] == [("born", 7, ())]


def test_a_split_keeps_the_larger_part_and_says_so() -> None:
    held = np.repeat([1, 2], 100)
    tonight = np.concatenate([np.repeat([0, 2], [65, 35]), np.full(100, 1)])
    found = match(tonight, held, k=3, active=[1, 2], next_segment_id=3)
    assert found.ids.tolist() == [1, 2, 3]
    assert found.lineage == {3: {1: 1.0}}
    assert ("split", 1, (1, 3)) in [(c.kind, c.segment_id, c.others) for c in found.changes]


def test_a_merger_retires_the_smaller_one_and_says_so() -> None:
    held = np.repeat([1, 2, 4], [100, 60, 100])
    tonight = np.repeat([0, 0, 1], [100, 60, 100])
    found = match(tonight, held, k=2, active=[1, 2, 4], next_segment_id=5)
    assert found.ids.tolist() == [1, 4]
    assert found.retired == (2,)
    changes = [(c.kind, c.segment_id, c.others) for c in found.changes]
    assert ("retired", 2, (1,)) in changes
    assert ("merged", 1, (2,)) in changes


def test_little_in_common_is_no_succession() -> None:
    # each of five segments sends a fifth of its customers to each of five clusters
    held = np.repeat(np.arange(1, 6), 100)
    tonight = np.tile(np.arange(5), 100)
    found = match(tonight, held, k=5, active=[1, 2, 3, 4, 5], next_segment_id=6)
    assert found.ids.tolist() == [6, 7, 8, 9, 10]
    assert found.retired == (1, 2, 3, 4, 5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 1_000)), min_size=2, max_size=6))
def test_ids_are_never_reused_and_always_different(nights: list[tuple[int, int]]) -> None:
    held, active, next_id, ever = np.full(200, -1), [], 1, set()
    for k, seed in nights:
        tonight = np.random.default_rng(seed).integers(0, k, 200)
        tonight[:k] = np.arange(k)
        found = match(tonight, held, k, active, next_id)
        assert len(set(found.ids.tolist())) == k
        assert not ever.intersection(found.born)
        assert set(active) - set(found.retired) == set(found.ids.tolist()) - set(found.born)
        # nothing appears or vanishes without a line in the lifecycle
        told = {(c.kind, c.segment_id) for c in found.changes}
        assert {("born", s) for s in found.born} | {("retired", s) for s in found.retired} <= told
        ever |= set(found.ids.tolist())
        held, active, next_id = found.ids[tonight], found.ids.tolist(), found.next_segment_id
