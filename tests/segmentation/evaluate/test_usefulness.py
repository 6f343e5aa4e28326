"""The cross-fitted scores: right by hand, and blind to segments that only fit noise."""

from __future__ import annotations

import numpy as np
import pytest

from segmentation.evaluate.usefulness import crossfit_auc, crossfit_r2, rank_auc, score_segments


def _by_hand(values: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """Work the same R² of one split out, customer by customer."""
    order = np.random.default_rng(seed).permutation(len(values))
    halves = [order[: len(order) // 2], order[len(order) // 2 :]]
    scores = []
    for learn, judge in (halves, halves[::-1]):
        overall = sum(values[i] for i in learn) / len(learn)
        error = baseline = 0.0
        for i in judge:
            same = [values[j] for j in learn if labels[j] == labels[i]]
            expected = sum(same) / len(same) if same else overall
            error += (values[i] - expected) ** 2
            baseline += (values[i] - overall) ** 2
        scores.append(1 - error / baseline)
    return sum(scores) / 2


def test_r2_is_what_one_gets_by_hand() -> None:
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 4, 60)
    values = labels + generator.normal(0, 1, 60)
    assert crossfit_r2(values, labels, seed=3, repeats=1) == pytest.approx(_by_hand(values, labels, seed=3))
    # names do not matter
    assert crossfit_r2(values, labels.astype(str), seed=3, repeats=1) == crossfit_r2(values, labels, seed=3, repeats=1)


def test_auc_counts_pairs() -> None:
    outcome, score = np.array([1.0, 0.0, 1.0, 0.0, 0.0]), np.array([0.9, 0.9, 0.4, 0.1, 0.6])
    pairs = [(a, b) for a in score[outcome > 0] for b in score[outcome == 0]]
    assert rank_auc(outcome, score) == pytest.approx(np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs]))


@pytest.mark.parametrize("segments", [2, 50, 400, 1_000])
def test_random_segments_never_win(segments: int) -> None:
    generator = np.random.default_rng(segments)
    values = generator.lognormal(0, 1, 1_000)
    labels = generator.integers(0, segments, 1_000)
    assert crossfit_r2(values, labels, seed=1) < 0.02
    assert abs(crossfit_auc(values > 1, labels, seed=1) - 0.5) < 0.06
    in_sample = np.array([values[labels == label].mean() for label in labels])
    explained = 1 - ((values - in_sample) ** 2).sum() / ((values - values.mean()) ** 2).sum()
    if segments >= 400:
        assert explained > 0.2, "without cross-fitting they would have won"


def test_splitting_true_segments_further_does_not_help() -> None:
    generator = np.random.default_rng(2)
    true = generator.integers(0, 4, 2_000)
    values = true + generator.normal(0, 1, 2_000)
    finer = true * 100 + generator.integers(0, 100, 2_000)
    assert crossfit_r2(values, true, seed=1) > crossfit_r2(values, finer, seed=1)


def test_undefined_cases_are_nan_not_errors() -> None:
    assert np.isnan(crossfit_r2([1.0, 1.0, 1.0, 1.0], [0, 0, 1, 1], seed=1))
    assert np.isnan(crossfit_r2([1.0, 2.0], [0, 1], seed=1))
    assert np.isnan(crossfit_auc([1, 1, 1, 1, 1], [0, 0, 1, 1, 1], seed=1))
    known = crossfit_r2([1.0, 1.0, 5.0, 5.0] * 10, [0, 0, 1, 1] * 10, seed=1)
    assert crossfit_r2([1.0, 1.0, 5.0, 5.0] * 10 + [np.nan] * 7, [0, 0, 1, 1] * 10 + [2] * 7, seed=1) == known == 1.0


def test_score_leaves_out_what_has_no_variation() -> None:
    labels = np.array([0, 1] * 50)
    found = score_segments(labels, labels * 20.0, labels + 1.0, np.ones(100), seed=1)
    assert (found.spend_r2, found.orders_r2) == (1.0, 1.0)
    assert np.isnan(found.bought_r2)
    assert np.isnan(found.churn_auc)
    assert found.score == 1.0
