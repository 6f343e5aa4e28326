"""Gaussian mixtures that give the same bytes every time: groups may be long, tilted and of unequal size.

K-means draws its borders half-way between centres, as if all groups were equally wide balls. A mixture learns
each group's weight and covariance besides its mean [1]_, so a customer belongs to the group that most probably
made them. Shapes: B customers, Q outlook columns, K segments.

References
----------
.. [1] Fraley, C. and Raftery, A. E. (2002). Model-based clustering, discriminant analysis, and density
   estimation. Journal of the American Statistical Association 97.
.. [2] Biernacki, C., Celeux, G. and Govaert, G. (2003). Choosing starting values for the EM algorithm.
   Computational Statistics and Data Analysis 41.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from segmentation.clusters import kmeans
from segmentation.clusters.kmeans import DECIMALS, Floats, Labels

GMM = "gmm"
#: A full covariance lets columns of a group move together; a diagonal one has far fewer figures to learn.
FULL, DIAGONAL = "full", "diag"
#: Share of the columns' mean variance added to every variance: no group collapses onto a few equal customers.
_RIDGE = 1e-2
_SMALLEST_RIDGE = 1e-4
#: Starts from each of both views of the customers, the steps of a short climb, and of the last one.
_STARTS = 3
_SHORT = 8
_LONG = 60
#: Gain in mean log-likelihood below which a step was the last.
_GAIN = 3e-3
_ROWS_AT_ONCE = 50_000


@dataclass(frozen=True)
class Mixture:
    """K Gaussians.

    Attributes
    ----------
    covariance : 'full' or 'diag', how it was fitted
    weights : (K,) share of each group
    means : (K, Q)
    covariances : (K, Q, Q); off-diagonals are 0 for 'diag'
    """

    covariance: str
    weights: Floats
    means: Floats
    covariances: Floats

    @property
    def algorithm(self) -> str:
        """The name that the segmentation carries."""
        return GMM

    @property
    def parameters(self) -> Mapping[str, float | str]:
        """What a refit needs to know beside the labels."""
        return {"covariance": self.covariance}

    @property
    def k(self) -> int:
        """K, the number of groups."""
        return len(self.weights)

    @property
    def centroids(self) -> Floats:
        """The groups' means, (K, Q)."""
        return self.means

    def taken(self, order: NDArray[np.intp]) -> Mixture:
        """Return the groups numbered ``order`` in that order."""
        return replace(
            self,
            weights=self.weights[order],
            means=self.means[order],
            covariances=self.covariances[order],
        )

    def distances(self, values: Floats) -> Floats:
        """Return minus the log of the probability that each group made each customer, (B, K); 0 = certainly."""
        found = np.empty((len(values), self.k))
        with kmeans.one_thread():
            for start in range(0, len(values), _ROWS_AT_ONCE):
                joint = _log_joint(values[start : start + _ROWS_AT_ONCE], self)
                found[start : start + len(joint)] = _log_sum(joint)[:, None] - joint
        return kmeans.rounded(np.maximum(found, 0.0))


def fit(values: Floats, k: int, covariance: str, seed: int) -> Mixture:
    """Find ``k`` Gaussians by expectation maximisation.

    The steps climb to the nearest peak, so several short climbs are made and the best one is finished [2]_. Half of
    them start from K-means, whose groups are balls; the other half from K-means after the customers' cloud has been
    squeezed into a ball itself, which tells long groups apart that lie side by side.

    Parameters
    ----------
    values : (B, Q)
    k : number of groups, at most the number of different rows
    covariance : 'full' or 'diag'
    seed : seed of the starts
    """
    from sklearn.cluster import KMeans

    with kmeans.one_thread():
        starts = [
            KMeans(k, n_init=1, random_state=seed + turn).fit_predict(seen)
            for seen in (values, _sphered(values))
            for turn in range(_STARTS)
        ]
        climbs = [_climb(values, refit(values, labels.astype(np.int64), k, covariance, 0), _SHORT) for labels in starts]
        best, _ = max(climbs, key=lambda climb: round(climb[1], DECIMALS))
        return _climb(values, best, _LONG)[0]


def _climb(values: Floats, start: Mixture, steps: int) -> tuple[Mixture, float]:
    """Take at most so many steps of expectation maximisation, and return the mean log-likelihood too."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    full = start.covariance == FULL
    variances = start.covariances if full else np.diagonal(start.covariances, axis1=1, axis2=2)
    model = GaussianMixture(
        start.k,
        covariance_type=start.covariance,
        reg_covar=_ridge(values),
        tol=_GAIN,
        max_iter=steps,
        weights_init=start.weights / start.weights.sum(),
        means_init=start.means,
        precisions_init=np.linalg.inv(variances) if full else 1.0 / variances,
        random_state=0,
    )
    with warnings.catch_warnings():
        # not yet at rest after the last step: the candidate is judged as it is
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(values)
    spread = model.covariances_
    covariances = spread if full else np.stack([np.diag(variances) for variances in spread])
    return _rounded(Mixture(start.covariance, model.weights_, model.means_, covariances)), float(model.lower_bound_)


def _sphered(values: Floats) -> Floats:
    """Return the customers with all directions alike in variance."""
    spread, directions = np.linalg.eigh(np.atleast_2d(np.cov(values, rowvar=False)))
    # directions in which nothing varies stay as narrow as they are
    return (values - values.mean(axis=0)) @ directions / np.sqrt(np.maximum(spread, 0.0) + _ridge(values))


def refit(values: Floats, labels: Labels, k: int, covariance: str, steps: int) -> Mixture:
    """Describe the groups that customers are in, and follow them by a few steps of expectation maximisation.

    Parameters
    ----------
    values : (B, Q) tonight
    labels : (B,) group 0..K-1 of each customer, -1 = none; each group has somebody
    k : K
    covariance : 'full' or 'diag'
    steps : steps after the first description: enough to follow, too few to wander off
    """
    belongs = np.zeros((len(values), k))
    known = labels >= 0
    belongs[np.flatnonzero(known), labels[known]] = 1.0
    ridge = _ridge(values)
    with kmeans.one_thread():
        found = _described(values, belongs, covariance, ridge)
    for _ in range(steps):
        belongs = np.exp(-found.distances(values))
        with kmeans.one_thread():
            found = _described(values, belongs, covariance, ridge)
    return found


def bic(values: Floats, mixture: Mixture) -> float:
    """Return the Bayesian information criterion per customer (lower is better): misfit plus what figures cost."""
    with kmeans.one_thread():
        likelihood = float(_log_sum(_log_joint(values, mixture)).mean())
    learnt = figures(mixture.k, values.shape[1], mixture.covariance)
    return -2.0 * likelihood + learnt * float(np.log(len(values))) / len(values)


def figures(k: int, q: int, covariance: str) -> int:
    """Return how many figures a mixture of ``k`` groups in ``q`` columns has to learn.

    Examples
    --------
    >>> figures(3, 2, "full"), figures(3, 2, "diag")
    (17, 14)
    """
    return k - 1 + k * q + k * (q * (q + 1) // 2 if covariance == FULL else q)


def _described(values: Floats, belongs: Floats, covariance: str, ridge: float) -> Mixture:
    """Weights, means and covariances of customers who belong to groups by shares (B, K)."""
    amount = np.maximum(belongs.sum(axis=0), 1e-9)
    means = (belongs.T @ values) / amount[:, None]
    covariances = []
    for group, mean in enumerate(means):
        away = values - mean
        spread = (away * belongs[:, [group]]).T @ away / amount[group]
        spread = spread if covariance == FULL else np.diag(np.diag(spread))
        covariances.append(spread + ridge * np.eye(values.shape[1]))
    return _rounded(Mixture(covariance, amount / amount.sum(), means, np.stack(covariances)))


def _rounded(mixture: Mixture) -> Mixture:
    # a group that lost everybody keeps a weight, since its logarithm is taken
    weights = np.maximum(mixture.weights, 10.0**-DECIMALS)
    return replace(
        mixture,
        weights=kmeans.rounded(weights),
        means=kmeans.rounded(mixture.means),
        covariances=kmeans.rounded(mixture.covariances),
    )


def _ridge(values: Floats) -> float:
    return max(_RIDGE * float(values.var(axis=0).mean()), _SMALLEST_RIDGE)


def _log_joint(values: Floats, mixture: Mixture) -> Floats:
    """Log density of each customer in each group times the group's weight, (B, K)."""
    from scipy.linalg import solve_triangular

    found = np.empty((len(values), mixture.k))
    for group in range(mixture.k):
        root = np.linalg.cholesky(mixture.covariances[group])
        white = solve_triangular(root, (values - mixture.means[group]).T, lower=True, check_finite=False)
        volume = 2.0 * np.log(np.diag(root)).sum() + values.shape[1] * np.log(2.0 * np.pi)
        found[:, group] = np.log(mixture.weights[group]) - 0.5 * (volume + (white**2).sum(axis=0))
    return found


def _log_sum(joint: Floats) -> Floats:
    highest = joint.max(axis=1)
    return highest + np.log(np.exp(joint - highest[:, None]).sum(axis=1))
