"""What a search tries: every algorithm over its range, with a reason where nothing comes of it."""

from __future__ import annotations

import numpy as np
import pytest

from segmentation.clusters.candidates import fit_again, propose
from segmentation.clusters.fitted import ALGORITHMS
from segmentation.config import ClusterSettings

SETTINGS = ClusterSettings(k_max=5)


def _pairs(size: int = 400) -> np.ndarray:
    generator = np.random.default_rng(1)
    return np.repeat([[0.0, 0.0], [5.0, 5.0]], size // 2, axis=0) + generator.normal(0, 0.5, (size, 2))


def test_every_algorithm_is_tried_over_its_range() -> None:
    tried = list(propose(_pairs(), SETTINGS))
    names = [proposal.name for proposal in tried]
    assert list(dict.fromkeys(proposal.algorithm for proposal in tried)) == list(ALGORITHMS)
    assert {"kmeans_k=3", "kmeans_k=5", "gmm_diag_k=3", "gmm_full_k=5"} <= set(names)
    assert {"dbscan_dense=5_reach=0.5", "dbscan_dense=20_reach=0.95", "hdbscan_dense=15_share=0.1"} <= set(names)
    assert len(names) == len(set(names)) == 3 + 6 + 15 + 6
    assert all(proposal.refused for proposal in tried if proposal.fitted is None)


def test_a_density_algorithm_may_find_two() -> None:
    found = [p for p in propose(_pairs(), SETTINGS) if p.algorithm == "hdbscan" and not p.refused]
    assert {p.fitted.k for p in found if p.fitted is not None} == {2}


def test_too_few_customers_for_a_mixture_are_named() -> None:
    wide = np.random.default_rng(1).normal(size=(70, 20))
    refused = {p.name: p.refused for p in propose(wide, SETTINGS) if p.algorithm == "gmm"}
    assert refused["gmm_full_k=5"] == "70 customers are too few for a mixture of so many figures"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_resample_is_fitted_with_the_same_parameters(algorithm: str) -> None:
    values = _pairs()
    drawn = np.bincount(np.random.default_rng(2).integers(0, 400, 400), minlength=400).astype(float)
    first = next(p for p in propose(values, SETTINGS) if p.algorithm == algorithm and p.fitted and not p.refused)
    assert first.fitted is not None
    again = fit_again(first.fitted, values, drawn, seed=1)
    assert again is not None
    assert (again.algorithm, dict(again.parameters)) == (algorithm, dict(first.fitted.parameters))
