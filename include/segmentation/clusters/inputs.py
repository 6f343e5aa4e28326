"""What the steps before left in the lake for this one, read whole and sorted by customer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segmentation import catalog
from segmentation.clusters.choose import Future
from segmentation.clusters.view import View
from segmentation.errors import MissingInput, TooLittleHistory
from segmentation.lake import Lake

_PREFIX = "q_"
_DECIMALS = 4
_FEATURES_FIRST = "Clear the task `features` of this run first."


@dataclass(frozen=True)
class Outlook:
    """Foreseen behaviour of B customers.

    Attributes
    ----------
    model_version : encoder that foresaw it; 'rfm' = none, then there are no columns
    reason : why there is no model, else ''
    columns : names of the Q outlook columns
    weights : (Q,) what each column is multiplied by before distances are taken
    table : B rows in the order of the static features, or no rows without a model
    matured : rows as of the newest matured cut-off with ``actual_…``; None = there is none
    cutoff : that cut-off
    """

    model_version: str
    reason: str
    columns: tuple[str, ...]
    weights: NDArray[np.float64]
    table: pd.DataFrame
    matured: pd.DataFrame | None
    cutoff: date | None

    def space(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Return the space in which the customers of ``rows`` are near or far, see `space`."""
        return space(rows, self.columns, self.weights)

    def moved_from(self, before: pd.DataFrame, days: int, half_life_days: float) -> Outlook:
        """Return the outlook in which each customer has gone only a part of the way from where they were put before.

        A fine-tuned model and a quiet week shift everybody a little every night; a change of behaviour shifts a
        customer for good. Exponential smoothing (Brown 1959) lets the first pass and the second arrive.

        Parameters
        ----------
        before : (customers, Q) positions of the night before by ``customer_id``, in `columns`
        days : days since that night
        half_life_days : after so many days half of a change has arrived; 0 = all of it, at once

        Returns
        -------
        Outlook
            Customers without a position before are where the model puts them. To 1e-4, as the model says it.
        """
        if half_life_days == 0 or before.empty:
            return self
        kept = 0.5 ** (days / half_life_days)
        columns = list(self.columns)
        now = self.table[columns].to_numpy(dtype=np.float64)
        then = before.reindex(self.table["customer_id"].to_numpy())[columns].to_numpy(dtype=np.float64)
        there = np.where(np.isnan(then), now, kept * then + (1.0 - kept) * now)
        table = self.table.copy()
        table[columns] = (np.round(there, _DECIMALS) + 0.0).astype(np.float32)
        return replace(self, table=table)

    def positions(self) -> pd.Series:
        """Return each customer's place, a list of Q numbers, by ``customer_id``."""
        places = list(self.table[list(self.columns)].to_numpy(dtype=np.float32))
        return pd.Series(places, index=self.table["customer_id"].to_numpy(), dtype=object)

    def seen_as(self, view: View) -> Outlook:
        """Return the same outlook in which columns count as in ``view``."""
        return replace(self, weights=view.weights(self.columns, self.weights))


def space(rows: pd.DataFrame, columns: Sequence[str], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted outlook columns of B ``rows``, (B, at most Q): those that count nothing are left out."""
    counting = np.flatnonzero(weights)
    names = [column for column, weight in zip(columns, weights, strict=True) if weight]
    return rows[names].to_numpy(dtype=float) * weights[counting]


def read_static(lake: Lake, day: date, cutoff: date | None = None) -> pd.DataFrame:
    """Read the static features of a day, or as of a cut-off among a day's windows.

    Returns
    -------
    DataFrame
        One row per customer with an order, sorted by ``customer_id`` (text).

    Raises
    ------
    MissingInput
        If the features step has not run for the day.
    """
    return read_buckets(_features_folder(lake, day, cutoff), "static.parquet", day)


def read_cutoffs(lake: Lake, day: date) -> list[date]:
    """List the cut-offs that a day's windows were made for, newest first; empty = the shop was too young.

    Raises
    ------
    MissingInput
        If the features step has not run for the day.
    """
    described = lake.path(catalog.FEATURES, day=day) / "features.json"
    if not described.exists():
        raise MissingInput("the features", day, _FEATURES_FIRST)
    return sorted(map(date.fromisoformat, json.loads(described.read_text())["cutoffs"]), reverse=True)


def read_targets(lake: Lake, day: date, cutoff: date) -> pd.DataFrame:
    """Read what customers did in the horizon after ``cutoff``, one of a day's cut-offs.

    Raises
    ------
    MissingInput
        If a later run has removed the day's windows.
    """
    folder = _features_folder(lake, day, cutoff)
    if not any(folder.glob("bucket=*/targets.parquet")):
        remedy = "Clear the task features of this run with its downstream tasks."
        raise MissingInput("the training windows", day, remedy)
    return read_buckets(folder, "targets.parquet", day)


def read_categories(lake: Lake, day: date, cutoff: date | None = None) -> pd.DataFrame:
    """Read how customers' spend and looks spread over categories, as of a day or of one of its cut-offs.

    Returns
    -------
    DataFrame
        ``customer_id``, ``category``, ``spend_share``, ``product_view_share``; no rows for a shop without
        categories.
    """
    return _read_if_any(
        _features_folder(lake, day, cutoff),
        "categories.parquet",
        {"category": "str", "spend_share": "float64", "product_view_share": "float64"},
    )


def read_future_categories(lake: Lake, day: date, cutoff: date) -> pd.DataFrame:
    """Read what customers spent on each category in the horizon after ``cutoff``, one of a day's cut-offs.

    Returns
    -------
    DataFrame
        ``customer_id``, ``category``, ``spend`` (shop currency); no rows for a shop without categories.
    """
    folder = _features_folder(lake, day, cutoff)
    return _read_if_any(folder, "target_categories.parquet", {"category": "str", "spend": "float64"})


def _read_if_any(folder: Path, name: str, columns: dict[str, str]) -> pd.DataFrame:
    files = sorted(folder.glob(f"bucket=*/{name}"))
    parts = [pd.read_parquet(file, partitioning=None) for file in files]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["customer_id"])
    # a shop without a clickstream may have no column for it
    whole = whole.reindex(columns=["customer_id", *columns])
    return whole.dropna(subset=["category"], ignore_index=True).astype({"customer_id": "str", **columns})


def read_buckets(folder: Path, name: str, day: date) -> pd.DataFrame:
    """Read one file of every bucket under ``folder``.

    Raises
    ------
    MissingInput
        If there is none.
    """
    files = sorted(folder.glob(f"bucket=*/{name}"))
    if not files:
        raise MissingInput(f"{name} of the customers", day, _FEATURES_FIRST)
    whole = pd.concat([pd.read_parquet(file, partitioning=None) for file in files], ignore_index=True)
    whole["customer_id"] = whole["customer_id"].astype(str)
    return whole.sort_values("customer_id", kind="stable", ignore_index=True)


def read_no_order(lake: Lake, day: date) -> list[str]:
    """List the known customers who have not ordered up to ``day``, sorted."""
    file = lake.path(catalog.FEATURES, day=day) / "no_order.parquet"
    return sorted(pd.read_parquet(file)["customer_id"].astype(str)) if file.exists() else []


def read_outlook(lake: Lake, day: date, static: pd.DataFrame) -> Outlook:
    """Read the encoder's outlook for the customers of ``static``.

    Raises
    ------
    MissingInput
        If the encode step has not run for the day, or ran on other customers.
    TooLittleHistory
        If there is no customer at all.
    """
    if static.empty:
        raise TooLittleHistory(day)
    folder = lake.path(catalog.OUTLOOK, day=day)
    if not (folder / "outlook.json").exists():
        raise MissingInput("the outlook", day, "Clear the task `encode` of this run first.")
    content: dict[str, Any] = json.loads((folder / "outlook.json").read_text())
    if content["model_version"] == catalog.NO_MODEL:
        return Outlook(catalog.NO_MODEL, content["reason"], (), np.ones(0), pd.DataFrame(), None, None)
    table = _sorted(pd.read_parquet(folder / "outlook.parquet"))
    if not np.array_equal(table["customer_id"].to_numpy(), static["customer_id"].to_numpy()):
        raise MissingInput(
            "an outlook of exactly the customers in the features", day, "Clear the task `encode` of this run first."
        )
    columns = tuple(column for column in table.columns if column.startswith(_PREFIX))
    named = {f"{_PREFIX}{head['name']}": float(head.get("weight", 1.0)) for head in content.get("heads", [])}
    weights = np.array([named.get(column, 1.0) for column in columns])
    matured_file = folder / "matured.parquet"
    matured = _sorted(pd.read_parquet(matured_file)) if matured_file.exists() else None
    cutoff = date.fromisoformat(content["cutoff"]) if content.get("cutoff") else None
    return Outlook(content["model_version"], "", columns, weights, table, matured, cutoff)


def matured_future(outlook: Outlook, lake: Lake, day: date) -> Future | None:
    """Return the newest horizon that has come true, its outlook unweighted; None = there is none.

    The customers whom the model never trained on judge alone if there are enough of them: on the
    others it remembers part of the very future that it is judged by.

    Raises
    ------
    MissingInput
        If a later run has removed the day's windows.
    """
    if outlook.matured is None or outlook.matured.empty:
        return None
    rows = outlook.matured
    apart = rows[rows["held_out"].to_numpy(dtype=bool)]
    if len(apart) >= ENOUGH_HELD_OUT:
        rows = apart
    return Future(
        outlook=rows[list(outlook.columns)].to_numpy(dtype=float),
        spend=rows["actual_spend"].to_numpy(dtype=float),
        orders=rows["actual_orders"].to_numpy(dtype=float),
        bought=rows["actual_bought"].to_numpy(dtype=float),
        habits=_habits(rows["customer_id"], lake, day, outlook.cutoff),
        apart=rows["held_out"].to_numpy(dtype=bool),
    )


#: Held-out customers that suffice to compare candidates on them alone.
ENOUGH_HELD_OUT = 2_000


def _habits(customers: pd.Series, lake: Lake, day: date, cutoff: date | None) -> NDArray[np.float64]:
    """Log counts of what the customers did in the clickstream after the cut-off, (B, A)."""
    nothing = np.empty((len(customers), 0))
    if cutoff is None:
        return nothing
    targets = read_targets(lake, day, cutoff)
    if "sessions" not in targets or not (targets["sessions"].fillna(0) > 0).any():
        return nothing
    aligned = targets.set_index("customer_id").reindex(customers.to_numpy())
    counted = [
        column
        for column in aligned.columns
        if (column == "sessions" or column.startswith("n_")) and column not in ("n_campaign_sent", "n_purchase")
    ]
    logs = np.log1p(aligned[counted].to_numpy(dtype=float).clip(min=0.0))
    return logs[:, np.nanstd(logs, axis=0) > 0]


def _features_folder(lake: Lake, day: date, cutoff: date | None) -> Path:
    if cutoff is None:
        return lake.path(catalog.FEATURES, day=day)
    return lake.path(catalog.WINDOWS, day=day, cutoff=cutoff)


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    table["customer_id"] = table["customer_id"].astype(str)
    return table.sort_values("customer_id", kind="stable", ignore_index=True)
