"""A published night's segments, so that others can be put into them: as they were, nothing is refitted.

Shapes: N customers of that night, B others, Q outlook columns, K segments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segmentation.clusters import confidence, kmeans, segmentation_file
from segmentation.clusters.fitted import Fitted, refit
from segmentation.clusters.inputs import space
from segmentation.clusters.segmentation_file import Segmentation
from segmentation.config import Settings


@dataclass(frozen=True)
class PublishedSegments:
    """The K segments of a night with a model, and where they put its customers.

    Attributes
    ----------
    ids : (K,) segment id of each group of ``fitted``
    fitted : the K groups
    there : (N, Q) where that night put its customers, weighted
    theirs : (N,) their group, 0..K-1
    sure : (N,) the confidence that the night published for them
    """

    segmentation: Segmentation
    ids: pd.Index
    fitted: Fitted
    there: NDArray[np.float64]
    theirs: NDArray[np.int64]
    sure: NDArray[np.float64]

    def space(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Return outlooks in the night's space, (B, Q)."""
        return space(rows, self.segmentation.outlook_columns, np.array(self.segmentation.outlook_weights))

    def groups(self, segment_ids: pd.Series) -> NDArray[np.int64]:
        """Return the group of each segment id, (B,); -1 for null, and for a segment that is no group of the night."""
        return self.ids.get_indexer(pd.Index(segment_ids.fillna(-1).astype(int))).astype(np.int64)

    def confidence(self, here: NDArray[np.float64], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how sure each of B customers' group is, (B,), by what the night said of its own customers.

        Its chance rises with the margin, so what it said at each margin is the curve; nothing is resampled again.

        Parameters
        ----------
        here : (B, Q) from `space`
        chosen : (B,) group of each
        """
        margins, place = np.unique(
            confidence.margin(self.fitted.distances(self.there), self.theirs), return_inverse=True
        )
        said = np.bincount(place, weights=self.sure) / np.bincount(place)
        mine = confidence.margin(self.fitted.distances(here), chosen)
        return np.round(np.interp(mine, margins, np.maximum.accumulate(said)), 4)


def published_segments(
    settings: Settings, segmentation: Segmentation, labels: pd.DataFrame
) -> PublishedSegments | None:
    """Return the segments of a published night; None if it kept no positions (there was no model).

    Parameters
    ----------
    settings : Settings
        The seed is used.
    segmentation, labels
        From `segmentation_file.read_base`.
    """
    placed = segmentation_file.positions(segmentation, labels)
    if placed.empty:
        return None
    there = space(placed, segmentation.outlook_columns, np.array(segmentation.outlook_weights))
    ids = pd.Index([segment.segment_id for segment in segmentation.active])
    of_customer = labels.set_index("customer_id").loc[placed.index]
    theirs = ids.get_indexer(pd.Index(of_customer["segment_id"])).astype(np.int64)
    fitted: Fitted = (
        kmeans.Centroids(segmentation.centroids)
        if segmentation.algorithm == kmeans.KMEANS
        else refit(there, theirs, len(ids), segmentation.algorithm, segmentation.parameters, settings.clusters.seed)
    )
    return PublishedSegments(segmentation, ids, fitted, there, theirs, of_customer["confidence"].to_numpy(dtype=float))
