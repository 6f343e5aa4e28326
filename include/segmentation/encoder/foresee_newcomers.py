"""What an earlier night's model foresees for customers who came since."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from segmentation.catalog import FEATURES
from segmentation.config import Settings


def foresee_newcomers(settings: Settings, day: date, model_version: str, customers: Collection[str]) -> pd.DataFrame:
    """Return the outlook of some customers as of ``day`` by a model that is in the registry; nothing is trained.

    Parameters
    ----------
    settings : Settings
        All settings; the day's features are read.
    day : date
        Business day.
    model_version : str
        A model whose schema is today's, see `registry.why_not_continue`.
    customers : collection of str
        Who; customers without features are left out.

    Returns
    -------
    DataFrame
        Columns as of `outlook.foresee`, one row per customer, sorted by ``customer_id``.
    """
    folders = sorted(file.parent for file in settings.lake.path(FEATURES, day=day).glob("bucket=*/static.parquet"))
    return foresee_from(settings, model_version, folders, customers)


def foresee_from(
    settings: Settings, model_version: str, folders: Sequence[Path], customers: Collection[str]
) -> pd.DataFrame:
    """Return the same of customers whose features are in some folders, one per bucket.

    Parameters
    ----------
    settings : Settings
        All settings; the registry is read.
    model_version, customers
        As of `foresee_newcomers`.
    folders : sequence of Path
        Each holds ``static``, ``timeline`` and ``categories``.
    """
    import pyarrow as pa

    from segmentation.encoder.outlook import foresee
    from segmentation.encoder.stored_model import stored_model
    from segmentation.encoder.windows import choose

    encoder, predict = stored_model(settings, model_version)
    wanted = set(customers)
    found = []
    for folder in folders:
        bucket = encoder.preparation.read(folder)
        rows = np.flatnonzero([key in wanted for key in bucket.customer_ids])
        if len(rows):
            found.append(foresee(choose(bucket, rows), encoder, predict, settings.encoder.held_out_share))
    table = pa.concat_tables(found).to_pandas() if found else pd.DataFrame({"customer_id": []})
    return table.sort_values("customer_id", ignore_index=True)
