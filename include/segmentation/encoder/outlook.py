"""The outlook: what the model foresees for each customer, in the files that the clusters read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from segmentation.catalog import NO_MODEL, OUTLOOK
from segmentation.encoder.heads import HeadScale
from segmentation.encoder.interests import INTERESTS_FILE
from segmentation.encoder.registry import Encoder
from segmentation.encoder.train_encoder import Predictor
from segmentation.encoder.windows import Customers, is_held_out
from segmentation.lake import Lake, remove

_OUTLOOK, _MATURED, _SUMMARY = "outlook.parquet", "matured.parquet", "outlook.json"
_ALL = (_SUMMARY, _OUTLOOK, _MATURED, INTERESTS_FILE)


def foresee(customers: Customers, encoder: Encoder, predict: Predictor, held_out_share: float) -> pa.Table:
    """Return the outlook of B customers.

    Parameters
    ----------
    customers : Customers
        One bucket, as of a business day or of a cut-off.
    encoder : Encoder
        The model.
    predict : Predictor
        Of the model's network.
    held_out_share : float
        Share of customers that no model is trained on.

    Returns
    -------
    pyarrow.Table
        ``customer_id``, ``held_out``, ``q_<head>`` and ``taste_<category>`` (float32, in standard deviations of
        the target around its mean, to 1e-4), ``expected_spend`` (money, to 0.01), ``expected_orders`` (to 0.001) and
        ``churn_probability`` (0 to 1, to 1e-4), null without such a head; and ``actual_spend``,
        ``actual_orders`` and ``actual_bought`` if the customers' future is known.
    """
    scale = encoder.scale
    outputs = predict(encoder.preparation.apply(customers, scale))
    natural = {head.name: values for head, values in zip(scale.heads, scale.natural(outputs).T, strict=True)}
    columns: dict[str, Any] = {
        "customer_id": pa.array(customers.customer_ids, pa.string()),
        "held_out": is_held_out(customers.customer_ids.tolist(), held_out_share),
    }
    for head, values in zip(scale.heads, scale.outlook(outputs).T, strict=True):
        columns[head.column] = _rounded(values, 4).astype(np.float32)
    unknown = pa.nulls(len(outputs), pa.float64())
    for name, digits in (("spend", 2), ("orders", 3)):
        known = encoder.expectations.get(name)
        columns[f"expected_{name}"] = (
            _rounded(known.amounts(natural[name].astype(np.float64)), digits) if known else unknown
        )
    columns["churn_probability"] = _rounded(1.0 - natural["bought"], 4) if "bought" in natural else unknown
    if customers.targets is not None:
        for name in ("spend", "orders", "bought"):
            columns[f"actual_{name}"] = customers.targets[name].to_numpy(dtype=np.float64)
    return pa.table(columns)


def write_outlook(
    lake: Lake,
    day: date,
    summary: dict[str, Any],
    outlook: Iterable[pa.Table],
    matured: Iterable[pa.Table],
) -> int:
    """Replace the outlook files of a day; the summary comes last, so whoever finds it finds the rest.

    Parameters
    ----------
    lake : Lake
    day : date
        Business day.
    summary : dict
        Content of ``outlook.json``.
    outlook, matured : iterable of pyarrow.Table
        One table per bucket.

    Returns
    -------
    int
        Customers in the outlook.
    """
    folder = _folder(lake, day)
    foreseen = pa.concat_tables(outlook).sort_by("customer_id")
    past = pa.concat_tables(matured).sort_by("customer_id")
    # what an earlier run of the day told from another outlook goes too
    for name in (_SUMMARY, INTERESTS_FILE):
        remove(folder / name)
    lake.write_table(foreseen, folder / _OUTLOOK)
    lake.write_table(past, folder / _MATURED)
    lake.write_json(summary, folder / _SUMMARY)
    return foreseen.num_rows


def write_no_outlook(lake: Lake, day: date, reason: str, base_day: date | None) -> None:
    """Say why there is no model for a day, and remove what an earlier run of the day foresaw."""
    folder = _folder(lake, day)
    for name in _ALL:
        remove(folder / name)
    lake.write_json(
        {
            "business_day": day,
            "model_version": NO_MODEL,
            "reason": reason,
            "base_day": base_day,
            "cutoff": None,
            "heads": [],
            "taste": [],
        },
        folder / _SUMMARY,
    )


def read_outlook_tables(lake: Lake, day: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the outlook of a day and that of its newest matured cut-off."""
    folder = _folder(lake, day)
    outlook, matured = (pd.read_parquet(folder / name, partitioning=None) for name in (_OUTLOOK, _MATURED))
    return outlook, matured


def write_outlook_tables(lake: Lake, day: date, outlook: pd.DataFrame, matured: pd.DataFrame) -> None:
    """Put other figures in the place of a day's outlook, whose summary goes on."""
    for name, table in ((_OUTLOOK, outlook), (_MATURED, matured)):
        lake.write_table(pa.Table.from_pandas(table, preserve_index=False), _folder(lake, day) / name)


def describe_heads(scale: HeadScale) -> dict[str, list[dict[str, Any]]]:
    """Return what ``outlook.json`` says of the columns: ``heads`` (behaviour) and ``taste`` (categories)."""
    behaviour = [head for head in scale.heads if head.kind != "taste"]
    taste = [head for head in scale.heads if head.kind == "taste"]
    return {
        "heads": [{"name": head.name, "high": head.high, "low": head.low, "weight": head.weight} for head in behaviour],
        "taste": [{"column": head.column, "category": head.target} for head in taste],
    }


def _folder(lake: Lake, day: date) -> Path:
    return lake.path(OUTLOOK, day=day)


def _rounded(values: Any, digits: int) -> Any:
    # adding zero turns -0.0 into 0.0: the same number has the same bytes
    return np.round(values.astype(np.float64), digits) + 0.0
