"""How clearly a customer belongs to their segment.

Shapes: B customers, K segments.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
