"""Put customers into last night's segments by last night's model, as a night would that refits neither."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from segmentation.catalog import FEATURES, RFM
from segmentation.clusters import hysteresis, rfm, segmentation_file, traits
from segmentation.clusters.inputs import Outlook, read_static
from segmentation.clusters.published import PublishedSegments, published_segments
from segmentation.config import Settings
from segmentation.encoder.foresee_newcomers import foresee_from
from segmentation.encoder.registry import why_not_continue
from segmentation.errors import CannotBringForward
from segmentation.intraday.bring_forward import BroughtForward

if TYPE_CHECKING:
    from segmentation.runs import PublishedNight

#: Customers of a night who tell what is usual in the shop; buckets are drawn by hash, so a few are a fair sample.
_ENOUGH_TO_TELL = 50_000
_NEEDED = ("customer_id", "segment_id", "confidence", "position")


def require_model(settings: Settings, base: PublishedNight) -> None:
    """Make sure that a published night's model can still be used.

    Raises
    ------
    CannotBringForward
        If there was none, or it is gone, or its schema is another one now.
    """
    if reason := why_not_continue(settings, base.model_version):
        raise CannotBringForward(reason, "Customers get their labels from the nights.")


def place_customers(settings: Settings, forward: BroughtForward, base: PublishedNight) -> pd.DataFrame:
    """Label customers as of the end of today.

    Parameters
    ----------
    settings : Settings
        All settings; the lake's segments and features of that night, and the model, are read.
    forward : BroughtForward
        The customers.
    base : PublishedNight
        The night whose model, segments and labels go on.

    Returns
    -------
    DataFrame
        ``customer_id``, ``segment_id``, ``confidence``, ``reasons``, ``rfm_segment``, by id. The segment is the one
        that a night would give them that used this model and these segments, and started from the same labels.

    Raises
    ------
    CannotBringForward
        If that night has RFM segments: who is in which depends on everybody.
    LedgerBehind
        If that night's segments are not in the lake.
    """
    segmentation, before = segmentation_file.read_base(
        settings.lake, base.business_day, base.segmentation_version, _NEEDED
    )
    found = published_segments(settings, segmentation, before) if segmentation.algorithm != RFM else None
    if found is None:
        raise CannotBringForward(
            f"the segments of {base.business_day} were not made from a model's outlook",
            "Customers get their labels from the nights.",
        )
    static = read_static(forward.settings.lake, forward.day)
    held = before.set_index("customer_id")["segment_id"]
    days = (forward.day - base.business_day).days
    codes, sure = _place(settings, forward, base, found, static["customer_id"], held, before, days)
    ordered = pd.DataFrame(
        {
            "customer_id": static["customer_id"],
            "segment_id": found.ids.to_numpy()[codes],
            "confidence": sure,
            "reasons": _reasons(settings, base.business_day, static, codes, found, held),
            "rfm_segment": _rfm_segments(settings, base.business_day, static, days),
        }
    )
    labels = segmentation_file.with_no_order(ordered, forward.no_order)
    return labels.sort_values("customer_id", ignore_index=True)


def _place(
    settings: Settings,
    forward: BroughtForward,
    base: PublishedNight,
    found: PublishedSegments,
    customers: pd.Series,
    held: pd.Series,
    before: pd.DataFrame,
    days: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return each customer's group and confidence, (B,) each."""
    if customers.empty:
        return np.empty(0, dtype=np.int64), np.empty(0)
    columns = found.segmentation.outlook_columns
    table = foresee_from(settings, base.model_version, [forward.folder], customers.tolist())
    weights = np.array(found.segmentation.outlook_weights)
    outlook = Outlook(base.model_version, "", tuple(columns), weights, table, None, None)
    theirs = before[before["customer_id"].isin(set(customers))]
    positions = segmentation_file.positions(found.segmentation, theirs)
    outlook = outlook.moved_from(positions, days, settings.clusters.half_life_days)
    here = outlook.space(outlook.table)
    own = found.groups(held.reindex(customers.to_numpy()))
    codes = hysteresis.hold(found.fitted.distances(here), own, settings.clusters.hysteresis)
    return codes, found.confidence(here, codes)


def _reasons(
    settings: Settings,
    day: date,
    static: pd.DataFrame,
    codes: NDArray[np.int64],
    found: PublishedSegments,
    held: pd.Series,
) -> list[list[str]]:
    """Say what sets the customers apart from the shop as it was that night."""
    files = sorted(settings.lake.path(FEATURES, day=day).glob("bucket=*/static.parquet"))
    parts: list[pd.DataFrame] = []
    for file in files:
        parts.append(pd.read_parquet(file, partitioning=None))
        if sum(map(len, parts)) >= _ENOUGH_TO_TELL:
            break
    if not parts:
        raise CannotBringForward(
            f"the features of {day} are no longer in the lake", "The next night's labels can be brought forward."
        )
    shop = pd.concat(parts, ignore_index=True).astype({"customer_id": str})
    groups = found.groups(held.reindex(shop["customer_id"].to_numpy()))
    shop, groups = shop[groups >= 0], groups[groups >= 0]
    usual = traits.measure(shop)
    of_segments = traits.of_segments(usual, groups, len(found.ids))
    return traits.reasons(traits.measure(static, shop), codes, of_segments, settings.currency)


def _rfm_segments(settings: Settings, day: date, static: pd.DataFrame, days: int) -> NDArray[np.object_]:
    """Name the customers' places in the grid among everybody else's of that night."""
    columns = ["customer_id", *rfm.COLUMNS]
    files = sorted(settings.lake.path(FEATURES, day=day).glob("bucket=*/static.parquet"))
    whole = pa.concat_tables([pq.read_table(file, columns=columns, partitioning=None) for file in files]).to_pandas()
    whole["customer_id"] = whole["customer_id"].astype(str)
    others = whole[~whole["customer_id"].isin(set(static["customer_id"]))]
    # the others have done nothing since: they are older by these days
    others = others.assign(recency_days=others["recency_days"] + days)
    return rfm.rfm_segments(pd.concat([static[columns], others], ignore_index=True))[: len(static)]
