"""Give customers who came since a published night a segment of that night: by its model and its segments, as they were.

Shapes: B customers of tonight, K segments.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segmentation import catalog
from segmentation.clusters import confidence, rfm, segmentation_file, traits
from segmentation.clusters.fitted import nearest
from segmentation.clusters.inputs import read_no_order, read_static
from segmentation.clusters.published import published_segments
from segmentation.clusters.segmentation_file import Segmentation
from segmentation.config import Settings

if TYPE_CHECKING:
    from segmentation.runs import PublishedNight

_UNKNOWN = -1


def label_newcomers(settings: Settings, day: date, base: PublishedNight) -> pd.DataFrame:
    """Label the customers whom the published night before did not know.

    Parameters
    ----------
    settings : Settings
        All settings; tonight's features and that night's segments are read.
    day : date
        Business day; its features must be in the lake.
    base : PublishedNight
        The night whose model and segments go on.

    Returns
    -------
    DataFrame
        ``customer_id``, ``segment_id``, ``confidence``, ``reasons``, ``rfm_segment``: one row per newcomer, by id.

    Notes
    -----
    Where that night's model cannot read tonight's features (its schema changed, or it is gone), and for RFM segments
    that nobody had, the nearest segment by recency, frequency and money is taken.

    Raises
    ------
    MissingInput
        If the day's features are not in the lake.
    LedgerBehind
        If that night's segments are not in the lake.
    """
    segmentation, before = segmentation_file.read_base(settings.lake, base.business_day, base.segmentation_version)
    static = read_static(settings.lake, day)
    known = before.set_index("customer_id")["segment_id"]
    ids = [segment.segment_id for segment in segmentation.active]
    held = pd.Index(ids).get_indexer(pd.Index(known.reindex(static["customer_id"]).fillna(_UNKNOWN).astype(int)))
    is_new = ~static["customer_id"].isin(known.index).to_numpy()
    codes, margins = _place(settings, day, segmentation, before, static, held.astype(np.int64), base.model_version)
    measured = traits.measure(static)
    told = traits.reasons(measured, codes, traits.of_segments(measured, codes, len(ids)), settings.currency)
    ordered = pd.DataFrame(
        {
            "customer_id": static["customer_id"],
            "segment_id": np.array(ids)[codes],
            "confidence": margins,
            "reasons": told,
            "rfm_segment": rfm.rfm_segments(static),
        }
    )[is_new]
    waiting = [customer for customer in read_no_order(settings.lake, day) if customer not in known.index]
    labels = segmentation_file.with_no_order(ordered, waiting)
    return labels.sort_values("customer_id", ignore_index=True)


def _place(
    settings: Settings,
    day: date,
    segmentation: Segmentation,
    before: pd.DataFrame,
    static: pd.DataFrame,
    held: NDArray[np.int64],
    model_version: str,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return each customer's segment and confidence, (B,) each; who has a segment keeps it."""
    missing = held == _UNKNOWN
    codes, margins = held.copy(), np.ones(len(held))
    if not missing.any():
        return codes, margins
    if segmentation.algorithm == catalog.RFM:
        codes[missing] = _by_name(segmentation, static)[missing]
    else:
        codes[missing], margins[missing] = _by_model(
            settings, day, segmentation, before, static[missing], model_version
        )
    left = codes == _UNKNOWN
    if left.any():
        codes[left], margins[left] = _by_rfm(static, held, left, segmentation.k)
    return codes, margins


def _by_name(segmentation: Segmentation, static: pd.DataFrame) -> NDArray[np.int64]:
    place = {segment.name: index for index, segment in enumerate(segmentation.active)}
    return np.array([place.get(name, _UNKNOWN) for name in rfm.rfm_segments(static)], dtype=np.int64)


def _by_model(
    settings: Settings,
    day: date,
    segmentation: Segmentation,
    before: pd.DataFrame,
    newcomers: pd.DataFrame,
    model_version: str,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    from segmentation.encoder.foresee_newcomers import foresee_newcomers
    from segmentation.encoder.registry import why_not_continue

    found = None if why_not_continue(settings, model_version) else published_segments(settings, segmentation, before)
    if found is None:
        return np.full(len(newcomers), _UNKNOWN, dtype=np.int64), np.ones(len(newcomers))
    outlook = foresee_newcomers(settings, day, model_version, newcomers["customer_id"].tolist())
    here = found.space(outlook.set_index("customer_id").loc[newcomers["customer_id"]])
    codes = nearest(found.fitted, here)
    return codes, found.confidence(here, codes)


def _by_rfm(
    static: pd.DataFrame, held: NDArray[np.int64], left: NDArray[np.bool_], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Take the segment whose customers are nearest on average in recency, frequency and money."""
    values = rfm.log_rfm(static)
    centres = np.full((k, values.shape[1]), np.inf)
    for code in range(k):
        if (held == code).any():
            centres[code] = values[held == code].mean(axis=0)
    away = np.linalg.norm(values[left][:, None, :] - centres[None], axis=2)
    codes = away.argmin(axis=1).astype(np.int64)
    return codes, confidence.margin(away, codes)
