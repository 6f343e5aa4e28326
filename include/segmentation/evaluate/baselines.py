"""The two segmentations that the model has to be worth more than: the RFM grid and K-means on log-RFM.

Shapes: B customers.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from segmentation.clusters import kmeans, rfm

RFM_GRID = "rfm_grid"
KMEANS_RFM = "kmeans_rfm"
#: Customers that K-means on log-RFM is fitted on, at most.
_SAMPLE = 20_000


def baseline_labels(static: pd.DataFrame, k: int, seed: int) -> dict[str, pd.Series]:
    """Segment customers by recency, frequency and money alone.

    Parameters
    ----------
    static : B rows of static features as of the day to be labelled
    k : segments of K-means, the same number as the model has
    seed : seed of the starts

    Returns
    -------
    dict of str to Series
        ``rfm_grid`` and ``kmeans_rfm``: (B,) labels, indexed by customer_id.
    """
    values = rfm.log_rfm(static)
    rows = kmeans.sample_rows(len(values), _SAMPLE, seed)
    centroids = kmeans.fit(values[rows], max(k, 1), seed)
    customers = pd.Index(static["customer_id"].to_numpy())
    return {
        RFM_GRID: pd.Series(np.unique(rfm.rfm_segments(static), return_inverse=True)[1], customers),
        KMEANS_RFM: pd.Series(kmeans.nearest(values, centroids), customers),
    }
