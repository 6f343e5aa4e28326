"""Algorithm and number of segments follow what they foretell, how stable and how separate they are; or there is none.

Worlds with planted groups tell whether the search really searches: balls for K-means, long clouds of unequal size for
a mixture, rings and filaments for a density algorithm, and one cloud without groups.
"""

from __future__ import annotations

import numpy as np
import pytest

from segmentation.clusters import kmeans
from segmentation.clusters.choose import FIGURES, Choice, Future, choose
from segmentation.clusters.fitted import ALGORITHMS, nearest
from segmentation.clusters.kmeans import Centroids
from segmentation.config import ClusterSettings

SETTINGS = ClusterSettings(bootstraps=2, k_max=9)


def _world(types: int, seed: int, size: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """Make customers whose outlook lies on a circle by their type, balls that overlap a little, and their types."""
    generator = np.random.default_rng(seed)
    of_customer = generator.integers(0, types, size)
    angle = 2 * np.pi * of_customer / types
    radius = 1.4 / np.sin(np.pi / types)
    centres = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return centres + generator.normal(0, 0.5, (size, 2)), of_customer


def _rings(seed: int, radii: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Make customers on rings around one centre, and tell each one's ring."""
    generator = np.random.default_rng(seed)
    ring = generator.integers(0, len(radii), 900)
    angle = generator.uniform(0, 2 * np.pi, 900)
    radius = np.array(radii)[ring] + generator.normal(0, 0.1, 900)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), ring


def _filaments(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make customers along three wavy lines above each other, and tell each one's line."""
    generator = np.random.default_rng(seed)
    line = generator.integers(0, 3, 1_000)
    along = generator.uniform(0, 5.6, 1_000)
    values = np.stack([1.2 * along, 1.2 * np.sin(along) + 1.2 * line], axis=1)
    return values + generator.normal(0, 0.08, values.shape), line


def _long_clouds(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make two long tilted clouds that touch and a small round one, of unequal size, and tell each one's cloud."""
    generator = np.random.default_rng(seed)
    cloud = generator.choice(3, 1_200, p=[0.60, 0.25, 0.15])
    widths = np.array([[2.2, 0.3], [1.6, 0.3], [0.4, 0.4]])[cloud]
    centres = np.array([[0.0, 0.0], [0.9, -1.4], [-1.8, 1.5]])[cloud]
    tilt = np.array([[np.cos(0.5), np.sin(0.5)], [-np.sin(0.5), np.cos(0.5)]])
    return generator.normal(0, 1, (1_200, 2)) * widths @ tilt + centres, cloud


def _agreement(choice: Choice, values: np.ndarray, planted: np.ndarray) -> float:
    from sklearn.metrics import adjusted_rand_score

    assert choice.fitted is not None, choice.reason
    return float(adjusted_rand_score(planted, nearest(choice.fitted, values)))


def _future(
    outlook: np.ndarray, of_customer: np.ndarray, seed: int, tells: bool = True, apart: np.ndarray | None = None
) -> Future:
    generator = np.random.default_rng(seed)
    rate = 1.0 + 3.0 * (of_customer if tells else generator.permutation(of_customer))
    orders = generator.poisson(rate).astype(float)
    apart = np.ones(len(orders), dtype=bool) if apart is None else apart
    return Future(outlook, 20.0 * orders, orders, (orders > 0).astype(float), np.empty((len(orders), 0)), apart)


@pytest.mark.parametrize("types", [3, 5, 8])
def test_finds_planted_types_by_their_future(types: int) -> None:
    values, of_customer = _world(types, seed=types)
    choice = choose(values, SETTINGS, _future(values, of_customer, seed=1))
    assert choice.chosen is not None
    assert abs(choice.chosen.k - types) <= 1
    assert "within 0.01 of the best" in choice.reason
    told = [c.k for c in choice.candidates if c.algorithm == "kmeans"]
    assert told == list(range(3, 10))
    assert choice.chosen.algorithm == "kmeans", "balls need nothing else"


def test_finds_planted_types_by_shape_without_a_future() -> None:
    values, _ = _world(4, seed=2)
    choice = choose(values, SETTINGS, None)
    assert choice.chosen is not None
    assert choice.chosen.k == 4
    assert "no matured future" in choice.reason


@pytest.mark.parametrize("with_future", [True, False], ids=["future", "no future"])
@pytest.mark.parametrize(
    "world",
    [_rings(1, (1.0, 2.2, 3.4)), _rings(2, (1.0, 2.2)), _filaments(3)],
    ids=["three rings", "two rings", "filaments"],
)
def test_a_density_algorithm_wins_on_rings_and_filaments(
    world: tuple[np.ndarray, np.ndarray], with_future: bool
) -> None:
    values, planted = world
    choice = choose(values, SETTINGS, _future(values, planted, seed=1) if with_future else None)
    assert choice.chosen is not None
    assert choice.chosen.algorithm in ("dbscan", "hdbscan")
    assert choice.chosen.k == planted.max() + 1
    assert _agreement(choice, values, planted) >= 0.9


def test_a_mixture_wins_on_long_clouds_of_unequal_size() -> None:
    from sklearn.metrics import adjusted_rand_score

    values, planted = _long_clouds(seed=1)
    choice = choose(values, SETTINGS, _future(values, planted, seed=1))
    assert choice.chosen is not None
    assert choice.chosen.name == "gmm_full_k=3"
    balls = adjusted_rand_score(planted, kmeans.nearest(values, kmeans.fit(values, 3, seed=1)))
    assert _agreement(choice, values, planted) > 0.9 > 0.5 > balls
    # a shop without a future sees the thin places between them too, though K-means has the better silhouette
    young = choose(values, SETTINGS, None)
    assert young.chosen is not None
    assert young.chosen.algorithm != "kmeans"
    assert _agreement(young, values, planted) > balls


def test_every_candidate_has_figures_or_a_reason_and_all_algorithms_are_searched() -> None:
    values, planted = _rings(1, (1.0, 2.2, 3.4))
    choice = choose(values, SETTINGS, _future(values, planted, seed=1))
    rows = [candidate.row() for candidate in choice.candidates]
    assert {candidate.algorithm for candidate in choice.candidates} == set(ALGORITHMS)
    assert len({row["name"] for row in rows}) == len(rows)
    for row in rows:
        assert set(FIGURES) < set(row)
        assert row["allowed"] is (row["refused"] == "")
        if row["allowed"]:
            assert None not in (row["usefulness"], row["stability"], row["smallest_share"], row["noise_share"])
    assert {"one dense group", "no dense group"} & {str(row["refused"]) for row in rows}
    assert all(algorithm in choice.reason for algorithm in ("kmeans", "gmm", "dbscan"))


def test_noise_above_the_limit_is_refused_in_words() -> None:
    values, _ = _rings(4, (1.0, 2.2))
    scattered = np.random.default_rng(5).uniform(-3, 3, (500, 2))
    strict = ClusterSettings(bootstraps=2, k_max=4, noise_share_limit=0.02)
    choice = choose(np.concatenate([values, scattered]), strict, None)
    assert any("of the customers are noise, limit 2.0%" in candidate.refused for candidate in choice.candidates)


def test_above_the_sample_the_rest_is_assigned() -> None:
    values, planted = _rings(6, (1.0, 2.2, 3.4))
    many = np.concatenate([values, values + 0.01, values - 0.01])
    sampled = ClusterSettings(bootstraps=2, k_max=4, sample=1_000)
    choice = choose(many, sampled, _future(values, planted, seed=1))
    assert choice.fitted is not None
    assert len(nearest(choice.fitted, many)) == 2_700
    assert _agreement(choice, many, np.tile(planted, 3)) >= 0.9


@pytest.mark.parametrize("with_future", [True, False], ids=["worthless future", "no future"])
def test_one_cloud_that_foretells_nothing_has_no_structure(with_future: bool) -> None:
    values = np.random.default_rng(3).normal(0, 1, (1_500, 4))
    future = _future(values, np.random.default_rng(4).integers(0, 3, 1_500), seed=5, tells=False)
    choice = choose(values, SETTINGS, future if with_future else None)
    assert choice.chosen is None
    assert choice.reason.startswith("no structure")


@pytest.mark.parametrize("remembers", [True, False], ids=["remembered", "foreseen"])
def test_what_a_model_only_remembers_of_those_it_learnt_from_is_no_structure(remembers: bool) -> None:
    generator = np.random.default_rng(14)
    apart = generator.random(700) < 0.2
    orders = generator.poisson(generator.uniform(0, 6, 700)).astype(float)
    known = np.where(apart & remembers, generator.permutation(orders), orders)
    # one cloud without groups: what is foreseen, and three columns of nothing
    values = np.column_stack([np.log1p(known) + generator.normal(0, 0.7, 700), generator.normal(0, 0.5, (700, 3))])
    past = Future(values, 20 * orders, orders, (orders > 0).astype(float), np.empty((700, 0)), apart)
    choice = choose(values, SETTINGS, past)
    best = max(c.usefulness for c in choice.candidates if c.allowed)
    assert best > 0.15, "by all customers, those learnt from included, it looks useful"
    if remembers:
        assert choice.chosen is None
        told = f"no more than chance would, of those between the {apart.sum()} that the model did not learn from"
        assert told in choice.reason
        # who has segments keeps them: a doubt that comes and goes would move everybody
        kept = choose(values, SETTINGS, past, Centroids(kmeans.fit(values, 4, seed=1)))
        assert kept.chosen is not None
        assert kept.chosen.name == "kmeans_kept"
    else:
        assert choice.chosen is not None


def test_a_shop_whose_model_learnt_from_everybody_gets_no_benefit_of_the_doubt() -> None:
    values = np.random.default_rng(15).normal(0, [1.0, 0.3, 0.3, 0.3], (300, 4))
    orders = np.round(2 + 2 * values[:, 0]).clip(min=0)
    nobody = np.zeros(300, dtype=bool)
    past = Future(values, 20 * orders, orders, (orders > 0).astype(float), np.empty((300, 0)), nobody)
    choice = choose(values, SETTINGS, past)
    assert choice.chosen is None
    assert "of those between the 0 that the model did not learn from" in choice.reason


def test_separate_groups_count_although_their_orders_are_alike() -> None:
    values, of_customer = _world(4, seed=6)
    choice = choose(values, SETTINGS, _future(values, of_customer, seed=7, tells=False))
    assert choice.chosen is not None
    assert "separate groups" in choice.reason


def test_tiny_segments_are_refused_in_words() -> None:
    generator = np.random.default_rng(8)
    crowd, oddities = generator.normal(0, 0.5, (990, 2)), generator.normal(40, 0.1, (10, 2))
    choice = choose(np.concatenate([crowd, oddities]), SETTINGS, None)
    balls = [c for c in choice.candidates if c.name == "kmeans_k=3"]
    assert "smallest segment 1.0% is under 2.0%" in balls[0].refused
    assert choice.chosen is None or choice.chosen.smallest_share >= 0.02


def test_last_nights_segments_are_kept_while_nothing_is_clearly_better() -> None:
    values, of_customer = _world(5, seed=9)
    future = _future(values, of_customer, seed=10)
    present = Centroids(np.stack([values[of_customer == t].mean(axis=0) for t in range(5)]))
    kept = choose(values, SETTINGS, future, present)
    assert kept.chosen is not None
    assert kept.chosen.name == "kmeans_kept"
    # whether a new drawing would find them again is no reason to draw anew
    unsteady = choose(values, SETTINGS.model_copy(update={"minimum_stability": 1.0}), future, present)
    assert unsteady.chosen is not None
    assert unsteady.chosen.name == "kmeans_kept"
    # two segments lumped together tell much less: then they are drawn anew
    lumped = Centroids(np.stack([values[of_customer // 2 == t].mean(axis=0) for t in range(3)]))
    redrawn = choose(values, SETTINGS, future, lumped)
    assert redrawn.chosen is not None
    assert redrawn.chosen.name != "kmeans_kept"


def test_same_inputs_same_choice() -> None:
    values, of_customer = _world(4, seed=11)
    one, other = (choose(values, SETTINGS, _future(values, of_customer, seed=1)) for _ in range(2))
    assert one.chosen is not None
    assert other.chosen is not None
    assert one.fitted is not None
    assert other.fitted is not None
    assert one.fitted.centroids.tobytes() == other.fitted.centroids.tobytes()
    assert one.reason == other.reason
    assert [candidate.row() for candidate in one.candidates] == [candidate.row() for candidate in other.candidates]
