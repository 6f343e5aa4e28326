"""K-means has to give the same centroids every time, and a refit must not swap segments."""

from __future__ import annotations

import numpy as np

from segmentation.clusters import kmeans


def _blobs(seed: int = 1) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.normal(centre, 0.2, (100, 2)) for centre in ((0, 0), (4, 0), (0, 4))])


def test_same_seed_gives_the_same_bytes() -> None:
    assert kmeans.fit(_blobs(), 3, seed=5).tobytes() == kmeans.fit(_blobs(), 3, seed=5).tobytes()


def test_refit_follows_the_customers_and_keeps_the_order() -> None:
    before = np.array([[0.0, 4.0], [0.0, 0.0], [4.0, 0.0]])
    after = kmeans.refit(_blobs() + 0.5, before, steps=3)
    np.testing.assert_allclose(after, before + 0.5, atol=0.1)


def test_refit_leaves_a_centroid_without_customers_where_it_was() -> None:
    after = kmeans.refit(_blobs(), np.array([[0.0, 0.0], [99.0, 99.0]]), steps=2)
    assert after[1].tolist() == [99.0, 99.0]


def test_fewer_different_rows_than_clusters_give_fewer_centroids() -> None:
    assert len(kmeans.fit(np.array([[1.0], [1.0], [2.0]]), 5, seed=1)) == 2


def test_sample_is_sorted_repeatable_and_whole_when_small() -> None:
    rows = kmeans.sample_rows(1_000, 50, seed=3)
    assert rows.tolist() == sorted(rows.tolist()) == kmeans.sample_rows(1_000, 50, seed=3).tolist()
    assert len(set(rows.tolist())) == 50
    assert kmeans.sample_rows(10, 50, seed=3).tolist() == list(range(10))
