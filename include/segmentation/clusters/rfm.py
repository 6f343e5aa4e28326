"""The classic grid: recency against frequency and money, ten names. Works for one customer.

It is the baseline of every night, and what is published when there is nothing better.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Columns of the static features that the grid reads.
COLUMNS = ("recency_days", "frequency_365d", "monetary_365d")

# rows: recency score 1 (long ago) to 5 (just now); columns: frequency-and-money score 1 (little) to 5 (much)
_GRID = np.array(
    [
        ["Hibernating", "Hibernating", "At risk", "At risk", "Cannot lose them"],
        ["Hibernating", "Hibernating", "At risk", "At risk", "Cannot lose them"],
        ["About to sleep", "About to sleep", "Need attention", "Loyal customers", "Loyal customers"],
        ["Promising", "Potential loyalists", "Potential loyalists", "Loyal customers", "Loyal customers"],
        ["New customers", "Potential loyalists", "Potential loyalists", "Champions", "Champions"],
    ],
    dtype=object,
)

#: Every name with its meaning, most valuable first.
MEANINGS = {
    "Champions": "bought just now, and buy often and much",
    "Loyal customers": "buy often and much, and bought recently",
    "Potential loyalists": "bought recently, and buy now and then",
    "New customers": "bought just now, and little so far",
    "Promising": "bought recently, and little so far",
    "Need attention": "middling in how recently, how often and how much they buy",
    "About to sleep": "have not bought for a while, and little before",
    "Cannot lose them": "bought often and much, but not for long",
    "At risk": "used to buy regularly, but not for long",
    "Hibernating": "bought little, and long ago",
}


def rfm_segments(static: pd.DataFrame) -> NDArray[np.object_]:
    """Name each customer's place in the grid.

    Parameters
    ----------
    static : frame of B customers with ``recency_days`` (days), ``frequency_365d`` (orders) and
        ``monetary_365d`` (shop currency); null counts as none

    Returns
    -------
    (B,) names out of `MEANINGS`. Scores are fifths by rank; equal customers get equal scores,
    the middle of the ranks they share.

    Examples
    --------
    >>> shop = pd.DataFrame({"recency_days": [1, 200], "frequency_365d": [9, 1], "monetary_365d": [90.0, 5.0]})
    >>> rfm_segments(shop).tolist()
    ['Loyal customers', 'Hibernating']
    >>> rfm_segments(shop.iloc[:1]).tolist()
    ['Need attention']
    """
    recency = fifths(-static["recency_days"].fillna(np.inf).to_numpy(dtype=float))
    frequency = fifths(static["frequency_365d"].fillna(0.0).to_numpy(dtype=float))
    money = fifths(static["monetary_365d"].fillna(0.0).to_numpy(dtype=float))
    habit = (frequency + money + 1) // 2
    return _GRID[recency - 1, habit - 1]


def fifths(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Score values 1 (lowest fifth) to 5 (highest) by rank; ties share their middle rank.

    Examples
    --------
    >>> fifths(np.array([10.0, 20.0, 30.0, 40.0, 50.0])).tolist()
    [1, 2, 3, 4, 5]
    >>> fifths(np.array([7.0, 7.0, 7.0])).tolist()
    [3, 3, 3]
    """
    from scipy.stats import rankdata

    place = (rankdata(values) - 0.5) / max(len(values), 1)
    return (place * 5).astype(np.int64) + 1


def log_rfm(static: pd.DataFrame) -> NDArray[np.float64]:
    """Return standardised log1p of recency, frequency and money, (B, 3): what the K-means baseline sees."""
    logs = np.log1p(static[list(COLUMNS)].fillna(0.0).to_numpy(dtype=float).clip(min=0.0))
    spread = logs.std(axis=0)
    return (logs - logs.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
