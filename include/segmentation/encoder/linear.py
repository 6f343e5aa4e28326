"""The wide path in closed form: ridge for the squared heads, penalised logistic regression for the chances.

Each static feature enters as a line that may bend at five places, so that the twentieth order need not mean as much as
the second (a linear spline; Hastie, Tibshirani and Friedman 2009, chapter 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
#: A pass over the training windows: static features (B, F) and training targets (B, Q) of some customers.
Pass = Callable[[], Iterator[tuple[Floats, Floats]]]

#: Quantiles of a feature among the training windows at which its line may bend.
BENDS = (0.1, 0.3, 0.5, 0.7, 0.9)
#: Newton steps of the logistic regression, at most, and the step in log-odds per unit after which there is none: it
#: converges in about five, each of which squares what is left, and weights are kept to seven digits.
_NEWTON_STEPS, _SMALLEST_STEP = 8, 1e-9


def bent(static: Floats, knots: Floats) -> Floats:
    """Return features with what each exceeds its knots by.

    Parameters
    ----------
    static : array of float32, shape (B, F)
    knots : array of float32, shape (K, F)

    Returns
    -------
    array of float32, shape (B, (1 + K) * F)
        The features, then for each row of knots the excess, never below 0.

    Examples
    --------
    >>> bent(np.array([[1.0], [3.0]], np.float32), np.array([[0.0], [2.0]], np.float32)).tolist()
    [[1.0, 1.0, 0.0], [3.0, 3.0, 1.0]]
    """
    return np.concatenate([static, *(np.maximum(static - row, 0.0) for row in knots)], axis=1)


def solve_linear_heads(
    examples: Pass, features: int, chances: npt.NDArray[np.bool_], penalty: float
) -> tuple[Floats, Floats]:
    """Solve every head's linear path from the static features.

    Sums over the examples are kept, never the examples, so memory does not grow with the customers.

    Parameters
    ----------
    examples : callable
        Called once per pass; yields blocks of features (B, F) and targets (B, Q), NaN = undefined.
    features : int
        F.
    chances : array of bool, shape (Q,)
        Heads whose target is 0 or 1 and whose output is log-odds.
    penalty : float
        Squared-weight penalty as a share of the number of examples; the intercept is free.

    Returns
    -------
    weights : array of float32, shape (F, Q)
    intercepts : array of float32, shape (Q,)
        A head without any defined target gets zeros.
    """
    heads = len(chances)
    solution = np.zeros((features + 1, heads))
    grams = np.zeros((heads, features + 1, features + 1))
    moments = np.zeros((features + 1, heads))
    counts = np.zeros(heads)
    for static, targets in examples():
        design = _with_intercept(static)
        defined = np.isfinite(targets)
        # heads that are defined for the same customers share one product
        patterns, pattern_of = np.unique(defined.T, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            members = np.flatnonzero(pattern_of.reshape(-1) == number)
            rows = design[pattern]
            grams[members] += rows.T @ rows
            moments[:, members] += rows.T @ targets[pattern][:, members].astype(np.float64)
        counts += defined.sum(axis=0)
    for head in np.flatnonzero(~chances & (counts > 0)):
        solution[:, head] = np.linalg.solve(
            grams[head] + _penalty_matrix(features, penalty * counts[head]), moments[:, head]
        )
    for head in np.flatnonzero(chances & (counts > 0)):
        solution[:, head] = _logistic(examples, features, int(head), penalty * counts[head])
    return solution[:-1].astype(np.float32), solution[-1].astype(np.float32)


def _logistic(examples: Pass, features: int, head: int, penalty: float) -> npt.NDArray[np.float64]:
    beta = np.zeros(features + 1)
    ridge = _penalty_matrix(features, penalty)
    for _ in range(_NEWTON_STEPS):
        gradient, hessian = -ridge @ beta, ridge.copy()
        for static, targets in examples():
            defined = np.isfinite(targets[:, head])
            design, truth = _with_intercept(static[defined]), targets[defined, head]
            chance = 1.0 / (1.0 + np.exp(-np.clip(design @ beta, -30, 30)))
            gradient += design.T @ (truth - chance)
            # the floor keeps the system solvable when a feature separates the classes
            design *= np.sqrt(np.maximum(chance * (1 - chance), 1e-4))[:, None]
            # the product of a matrix with itself takes half the work
            hessian += design.T @ design
        step = np.linalg.solve(hessian, gradient)
        beta = beta + step
        if np.abs(step).max() < _SMALLEST_STEP:
            break
    return beta


def _with_intercept(static: Floats) -> npt.NDArray[np.float64]:
    return np.concatenate([static.astype(np.float64), np.ones((len(static), 1))], axis=1)


def _penalty_matrix(features: int, penalty: float) -> npt.NDArray[np.float64]:
    # a trace of penalty on the intercept too: nothing else fixes it when there are no features at all
    return np.diag(np.append(np.full(features, penalty), 1e-9))
