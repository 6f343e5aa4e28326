"""How much a segmentation tells about the future: cross-fitted, so that many tiny segments do not win.

Customers are split in halves. What a segment will do is learnt on one half and scored on the other, both
ways round, over several splits. Shapes: B customers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

REPEATS = 5


@dataclass(frozen=True)
class Usefulness:
    """What the segments tell about one horizon of future; NaN where the future has no variation.

    Attributes
    ----------
    spend_r2, orders_r2
        Cross-fitted R² of log1p(spend) and of log1p(number of orders).
    orders_r2_raw
        The same of the plain number of orders; a handful of extreme customers can drive it.
    bought_r2
        The same of "ordered at all" (0 or 1).
    churn_auc
        How well the segments rank customers by "no order", 0.5 = not at all.
    customers
        How many customers it was measured on.
    manners_r2
        Mean cross-fitted R² of how customers order and visit (see `Head.manner`), among those who did; NaN if
        nothing is known of it.
    """

    spend_r2: float
    orders_r2: float
    orders_r2_raw: float
    bought_r2: float
    churn_auc: float
    customers: int
    manners_r2: float = float("nan")

    @property
    def score(self) -> float:
        """The one figure that choices are made by: mean of the R² of log spend, log orders and bought."""
        parts = [part for part in (self.spend_r2, self.orders_r2, self.bought_r2) if np.isfinite(part)]
        return float(np.mean(parts)) if parts else float("nan")


def score_segments(
    labels: ArrayLike,
    spend: ArrayLike,
    orders: ArrayLike,
    bought: ArrayLike,
    seed: int,
    manners: ArrayLike | None = None,
) -> Usefulness:
    """Score labels by what their customers did afterwards.

    Parameters
    ----------
    labels : (B,) segment of each customer, known before the future began
    spend : (B,) money spent during the horizon, shop currency
    orders : (B,) orders during the horizon
    bought : (B,) 1 if there was any order, else 0
    seed : seed of the splits; the same seed and customers give the same halves for every segmentation
    manners : (B, M) how customers ordered and visited during the horizon; NaN = unknown
    """
    spend, orders, bought = (np.asarray(v, dtype=float) for v in (spend, orders, bought))
    log_spend = np.log1p(np.clip(spend, 0, None))
    return Usefulness(
        spend_r2=crossfit_r2(log_spend, labels, seed),
        orders_r2=crossfit_r2(np.log1p(orders), labels, seed),
        orders_r2_raw=crossfit_r2(orders, labels, seed),
        bought_r2=crossfit_r2(bought, labels, seed),
        churn_auc=crossfit_auc(1.0 - bought, labels, seed),
        customers=len(spend),
        manners_r2=_manners_r2(manners, labels, seed),
    )


def _manners_r2(manners: ArrayLike | None, labels: ArrayLike, seed: int) -> float:
    columns = [] if manners is None else list(np.asarray(manners, dtype=float).T)
    known = [score for column in columns if np.isfinite(score := crossfit_r2(column, labels, seed))]
    return float(np.mean(known)) if known else float("nan")


def crossfit_r2(values: ArrayLike, labels: ArrayLike, seed: int, repeats: int = REPEATS) -> float:
    """Return the share of the variance of ``values`` that segments foretell for customers not learnt from.

    Parameters
    ----------
    values : (B,) what came true; NaN = unknown, left out
    labels : (B,) segment of each customer
    seed : seed of the random halves
    repeats : number of random splits averaged

    Returns
    -------
    float
        1 - squared error of the other half's segment means / squared error of the other half's overall mean.
        0 for one segment, below 0 for segments that only fit noise, NaN if there are fewer than
        four values or they are all equal.

    Examples
    --------
    >>> crossfit_r2([1, 1, 5, 5] * 10, ["a", "a", "b", "b"] * 10, seed=1)
    1.0
    >>> crossfit_r2([1, 1, 5, 5] * 10, ["a"] * 40, seed=1)
    0.0
    """
    kept, codes = _known(values, labels)
    scores = []
    for learn, judge in _halves(len(kept), seed, repeats):
        overall = kept[learn].mean()
        expected = _segment_means(kept, codes, learn)[codes[judge]]
        baseline = float(((kept[judge] - overall) ** 2).sum())
        if baseline > 0:
            scores.append(1.0 - float(((kept[judge] - expected) ** 2).sum()) / baseline)
    return float(np.mean(scores)) if scores and np.ptp(kept) > 0 else float("nan")


def crossfit_errors(
    values: NDArray[np.float64], labels: ArrayLike, seed: int, repeats: int = REPEATS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each customer's squared error when foretold as by `crossfit_r2`, and when foretold the overall mean.

    Parameters
    ----------
    values : (B,) what came true, all known
    labels : (B,) segment of each customer
    seed, repeats : as for `crossfit_r2`

    Returns
    -------
    (B,) and (B,), means over the splits
    """
    _, codes = np.unique(np.asarray(labels), return_inverse=True)
    segment, overall = np.zeros(len(values)), np.zeros(len(values))
    for learn, judge in _halves(len(values), seed, repeats):
        segment[judge] += (values[judge] - _segment_means(values, codes, learn)[codes[judge]]) ** 2 / repeats
        overall[judge] += (values[judge] - values[learn].mean()) ** 2 / repeats
    return segment, overall


def crossfit_linear_r2(
    values: NDArray[np.float64], columns: NDArray[np.float64], seed: int, repeats: int = REPEATS
) -> float:
    """Return the share of the variance of ``values`` that a linear combination of columns foretells; as `crossfit_r2`.

    Parameters
    ----------
    values : (B,) what came true, all known
    columns : (B, Q)
    seed, repeats : as for `crossfit_r2`
    """
    design = np.column_stack([columns, np.ones(len(columns))])
    scores = []
    for learn, judge in _halves(len(values), seed, repeats):
        fitted = np.linalg.lstsq(design[learn], values[learn], rcond=None)[0]
        baseline = float(((values[judge] - values[learn].mean()) ** 2).sum())
        scores.append(1.0 - float(((values[judge] - design[judge] @ fitted) ** 2).sum()) / baseline)
    return float(np.mean(scores))


def crossfit_auc(outcome: ArrayLike, labels: ArrayLike, seed: int, repeats: int = REPEATS) -> float:
    """Return the area under the ROC curve when a customer's risk is their segment's rate in the other half.

    Parameters
    ----------
    outcome : (B,) 1 if it happened, else 0; NaN = unknown, left out
    labels : (B,) segment of each customer
    seed : seed of the random halves
    repeats : number of random splits averaged

    Returns
    -------
    float
        0.5 = the segments tell nothing; NaN if nearly nobody or nearly everybody has the outcome.

    Examples
    --------
    >>> crossfit_auc([1, 1, 0, 0] * 10, ["a", "a", "b", "b"] * 10, seed=1)
    1.0
    >>> crossfit_auc([1, 1, 0, 0] * 10, ["a"] * 40, seed=1)
    0.5
    """
    kept, codes = _known(outcome, labels)
    scores = []
    for learn, judge in _halves(len(kept), seed, repeats):
        area = rank_auc(kept[judge], _segment_means(kept, codes, learn)[codes[judge]])
        if np.isfinite(area):
            scores.append(area)
    return float(np.mean(scores)) if scores else float("nan")


def category_bits(labels: ArrayLike, spend: ArrayLike, seed: int, repeats: int = REPEATS) -> float:
    """Return how much segments tell of the category that the next unit of money goes to.

    Parameters
    ----------
    labels : (B,) segment of each customer
    spend : (B, C) what each customer spent on each category afterwards, shop currency, not negative; whoever
        spent nothing is left out
    seed : seed of the random halves
    repeats : number of random splits averaged

    Returns
    -------
    float
        Mutual information in bits, cross-fitted: mean of log2(share in the segment / share in the shop) over the
        money of one half, with shares learnt on the other half. A segment's shares are drawn towards the shop's by
        the spend of one average customer, so that an unseen category is not impossible. 0 for one segment, below 0
        for segments that only fit noise, NaN for fewer than four customers.

    Examples
    --------
    >>> tea, wine = [[10.0, 0.0]] * 40, [[0.0, 10.0]] * 40
    >>> round(category_bits([0] * 40 + [1] * 40, tea + wine, seed=1), 1)
    1.0
    >>> category_bits([0] * 80, tea + wine, seed=1)
    0.0
    """
    money = np.asarray(spend, dtype=float)
    money = money.reshape(len(money), -1)
    buyers = money.sum(axis=1) > 0
    money = money[buyers]
    _, codes = np.unique(np.asarray(labels)[buyers], return_inverse=True)
    scores = []
    for learn, judge in _halves(len(money), seed, repeats):
        one_customer = money[learn].sum() / len(learn)
        of_segment = np.zeros((int(codes.max()) + 1, money.shape[1]))
        np.add.at(of_segment, codes[learn], money[learn])
        # a category that only the other half bought is as likely as a hundredth of an average customer makes it
        of_segment += of_segment.sum(axis=1, keepdims=True) / (100 * len(learn) * money.shape[1])
        shop = of_segment.sum(axis=0) / of_segment.sum()
        shares = (of_segment + one_customer * shop) / (of_segment.sum(axis=1, keepdims=True) + one_customer)
        gain = np.log2(shares[codes[judge]] / shop)
        scores.append(float((money[judge] * gain).sum() / money[judge].sum()))
    return round(float(np.mean(scores)), 9) + 0.0 if scores else float("nan")


def rank_auc(outcome: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    """Return the chance that a customer with the outcome has the higher score (ties count half).

    Examples
    --------
    >>> rank_auc(np.array([1.0, 0.0, 0.0]), np.array([0.7, 0.7, 0.2]))
    0.75
    """
    from scipy.stats import rankdata

    happened = outcome > 0
    positives, negatives = int(happened.sum()), int((~happened).sum())
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[happened].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _known(values: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    array = np.asarray(values, dtype=float)
    known = np.isfinite(array)
    _, codes = np.unique(np.asarray(labels)[known], return_inverse=True)
    return array[known], codes


def _halves(size: int, seed: int, repeats: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    if size < 4:
        return
    generator = np.random.default_rng(seed)
    for _ in range(repeats):
        order = generator.permutation(size)
        one, other = order[: size // 2], order[size // 2 :]
        yield one, other
        yield other, one


def _segment_means(
    values: NDArray[np.float64], codes: NDArray[np.intp], learn: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Mean of each segment among ``learn``; a segment that has nobody there gets the overall mean."""
    segments = int(codes.max()) + 1
    counts = np.bincount(codes[learn], minlength=segments)
    sums = np.bincount(codes[learn], weights=values[learn], minlength=segments)
    return np.where(counts > 0, sums / np.maximum(counts, 1), values[learn].mean())
