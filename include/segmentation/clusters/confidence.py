"""How sure a customer's segment is: the chance that it would be the same, had other customers been in the shop.

Shapes: B customers, Q outlook columns, K segments, R resamples.

References
----------
.. [1] Hennig, C. (2007). Cluster-wise assessment of cluster stability. Computational Statistics and Data
   Analysis 52.
.. [2] Zadrozny, B. and Elkan, C. (2002). Transforming classifier scores into accurate multiclass probability
   estimates. ACM SIGKDD: scores become probabilities by isotonic regression.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segmentation.clusters import kmeans
from segmentation.clusters.candidates import refits, resampled_rows
from segmentation.clusters.fitted import Fitted, nearest

#: Resamples that confidence is made from. They differ as a whole, when one happens to cut elsewhere than most: with 10
#: what is said is off by up to 0.06 for that alone, with 40 by 0.02 to 0.04.
RESAMPLES = 60


def margin(distances: NDArray[np.float64], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how much nearer the chosen centroid is than the next best one.

    Parameters
    ----------
    distances : (B, K) to each centroid
    chosen : (B,) index of each customer's centroid

    Returns
    -------
    (B,) from 0 (as near to another segment, or nearer and held by hysteresis) to 1 (sits on the centroid);
    1 if there is only one segment. Four decimals.

    Examples
    --------
    >>> margin(np.array([[1.0, 4.0], [2.0, 2.0], [3.0, 2.9]]), np.array([0, 0, 0])).tolist()
    [0.75, 0.0, 0.0]
    """
    rows = np.arange(len(distances))
    if distances.shape[1] == 1:
        return np.ones(len(distances))
    own = distances[rows, chosen]
    others = distances.copy()
    others[rows, chosen] = np.inf
    other = others.min(axis=1)
    share = np.divide(other - own, other, out=np.zeros_like(own), where=other > 0)
    return np.round(np.clip(share, 0.0, 1.0), 4)


def agreement(
    values: NDArray[np.float64], fitted: Fitted, chosen: NDArray[np.int64], resamples: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the segments anew on resamples, and count how often customers get the same one.

    Parameters
    ----------
    values : (B, Q) tonight's space
    fitted : tonight's segments
    chosen : (B,) segment 0..K-1 of each customer, as published
    resamples : R, each drawn with replacement [1]_; its segments are matched to tonight's by the customers in common
    seed : of the draws

    Returns
    -------
    (B',) row numbers of the customers looked at, and (B',) share of the resamples that agree, 0 to 1
    """
    from scipy.optimize import linear_sum_assignment

    rows = resampled_rows(fitted, len(values), seed)
    judged, labels = values[rows], chosen[rows]
    agree = np.zeros(len(rows))
    with kmeans.one_thread():
        for again in refits(fitted, judged, resamples, seed):
            if again is None:
                continue
            other = nearest(again, judged)
            together = np.zeros((fitted.k, again.k))
            np.add.at(together, (labels, other), 1.0)
            ours, theirs = linear_sum_assignment(-together)
            same = np.full(fitted.k, -1)
            same[ours] = theirs
            agree += same[labels] == other
    return rows, agree / resamples


def calibrated(
    margins: NDArray[np.float64], rows: NDArray[np.int64], agree: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Turn margins into chances that the segment would be the same, by isotonic regression [2]_.

    Parameters
    ----------
    margins : (B,) from `margin`
    rows, agree : from `agreement`

    Returns
    -------
    (B,) 0 to 1, rising with the margin; four decimals

    Examples
    --------
    >>> calibrated(np.array([0.1, 0.2, 0.8, 0.9]), np.arange(4), np.array([0.4, 0.6, 1.0, 1.0])).tolist()
    [0.4, 0.6, 1.0, 1.0]
    """
    from sklearn.isotonic import IsotonicRegression

    curve = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(margins[rows], agree)
    return np.round(curve.predict(margins), 4)


def reliability(
    confidence: NDArray[np.float64], agree: NDArray[np.float64], edges: NDArray[np.float64]
) -> list[tuple[float, float, int, float, float]]:
    """Compare what was said with what came true, bin by bin.

    Parameters
    ----------
    confidence : (B,) as published
    agree : (B,) from `agreement` with another seed
    edges : (N + 1,) rising borders of the bins; the last bin includes its upper end

    Returns
    -------
    list of (lower edge, upper edge, customers, mean confidence, mean agreement)
        Without bins that hold nobody.

    Examples
    --------
    >>> reliability(np.array([0.2, 0.9]), np.array([0.0, 1.0]), np.array([0.0, 0.5, 1.0]))
    [(0.0, 0.5, 1, 0.2, 0.0), (0.5, 1.0, 1, 0.9, 1.0)]
    """
    place = np.clip(np.digitize(confidence, edges) - 1, 0, len(edges) - 2)
    found = []
    for index in np.unique(place):
        mine = place == index
        said, true = float(confidence[mine].mean()), float(agree[mine].mean())
        found.append((float(edges[index]), float(edges[index + 1]), int(mine.sum()), said, true))
    return found
