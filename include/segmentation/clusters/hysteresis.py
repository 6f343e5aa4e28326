"""Customers stay in their segment until another one is clearly nearer.

Shapes: B customers, K segments.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: "No label last night", or one whose segment is no more.
NONE = -1


def hold(distances: NDArray[np.float64], held: NDArray[np.int64], margin: float) -> NDArray[np.int64]:
    """Choose each customer's centroid, preferring the one they have.

    Parameters
    ----------
    distances : (B, K) to each centroid
    held : (B,) index of the centroid of last night's segment; -1 = none
    margin : share (0 to 1) by which another centroid must be nearer

    Returns
    -------
    (B,) index of the chosen centroid

    Examples
    --------
    >>> hold(np.array([[1.00, 0.95], [1.00, 0.80], [1.00, 0.95]]), np.array([0, 0, -1]), margin=0.10).tolist()
    [0, 1, 1]
    """
    best = distances.argmin(axis=1)
    rows = np.arange(len(distances))
    own = distances[rows, np.maximum(held, 0)]
    moves = (held == NONE) | (distances[rows, best] < (1.0 - margin) * own)
    return np.where(moves, best, held).astype(np.int64)
