"""Did the segments of D tell what customers did in the 28 days after D? `segmentation bench future --day D`."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from segmentation import catalog
from segmentation.clusters import segmentation_file
from segmentation.clusters.inputs import read_static
from segmentation.config import Settings
from segmentation.errors import MissingInput
from segmentation.evaluate.baselines import baseline_labels
from segmentation.evaluate.futures import known_future, of_customers
from segmentation.evaluate.usefulness import score_segments

#: What is said of every segmentation.
FIGURES = ("k", "smallest_share", "spend_r2", "log_orders_r2", "raw_orders_r2", "churn_auc")
COLUMNS = ("segmentation", *FIGURES)


def score_future(
    settings: Settings, day: date, segmentation_version: str | None = None, source_url: str | None = None
) -> pd.DataFrame:
    """Score a day's segments and both baselines on what all customers really did afterwards.

    Parameters
    ----------
    settings : Settings
        All settings.
    day : date
        Business day whose labels are judged.
    segmentation_version : str, optional
        Version in the lake; by default the only one, or the newest written.
    source_url : str, optional
        libpq URL of the shop; needed if the lake does not reach a horizon past ``day``.

    Returns
    -------
    DataFrame
        One row per segmentation, `COLUMNS`: cross-fitted R² of log spend, of log orders and of plain orders,
        and the area under the curve of "no order", over all customers with an order up to ``day``.

    Raises
    ------
    MissingInput
        If the segments of the day, or its future, are not to be had.
    """
    version = segmentation_version or _newest_version(settings, day)
    segmentation, labels = segmentation_file.read(settings.lake, day, version)
    static = read_static(settings.lake, day)
    future = known_future(settings, day, source_url)
    customers = pd.Index(static["customer_id"].to_numpy())
    ours = labels.set_index("customer_id")["segment_id"].reindex(customers)
    judged = {f"{segmentation.algorithm} {version}": ours} | baseline_labels(
        static, segmentation.k, settings.evaluate.seed
    )
    rows = [(name, *score_labels(labels, future, settings.evaluate.seed)) for name, labels in judged.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS)).round(4)


def score_labels(labels: pd.Series, future: pd.DataFrame, seed: int) -> tuple[float, ...]:
    """Return `FIGURES` of one segmentation.

    Parameters
    ----------
    labels : Series
        Segment of each customer, by ``customer_id``.
    future : DataFrame
        From `known_future`.
    seed : int
        Seed of the split into halves.
    """
    truth = of_customers(future, pd.Index(labels.index))
    codes = labels.to_numpy(dtype=np.int64)
    spend, orders, bought = (truth[name].to_numpy() for name in ("spend", "orders", "bought"))
    score = score_segments(codes, spend, orders, bought, seed)
    _, sizes = np.unique(codes, return_counts=True)
    figures = (score.spend_r2, score.orders_r2, score.orders_r2_raw, score.churn_auc)
    return (len(sizes), sizes.min() / len(codes), *figures)


def _newest_version(settings: Settings, day: date) -> str:
    folder = settings.lake.path(catalog.SEGMENTATIONS, day=day)
    written = sorted(folder.glob("version=*/segmentation.json"), key=lambda file: (file.stat().st_mtime_ns, file.name))
    if not written:
        raise MissingInput("the segmentation", day, f"Run it first: segmentation run --day {day}")
    return written[-1].parent.name.removeprefix("version=")
