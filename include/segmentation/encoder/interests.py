"""How likely each customer is to buy from each category in the next horizon: the outlook, made into chances."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from segmentation.catalog import FEATURES, NO_MODEL, OUTLOOK, WINDOWS
from segmentation.lake import Lake, remove

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.int64]

INTERESTS_FILE = "interests.parquet"
#: What the chance of buying from a category is told from; see `evidence_of`.
EVIDENCE = (
    "log-odds of ordering at all",
    "taste",
    "log expected orders",
    "log-odds of the category in the shop",
    "log-odds of the category in the customer's past",
    "bought in the last horizon",
    "bought in the horizon before",
)
#: Customers never trained on, with a known future, below which chances would be guesses.
MINIMUM_HELD_OUT = 100
#: Horizons of the shop's own rate that a customer's past is mixed with: one horizon seen says little.
_PRIOR_HORIZONS = 2.0
_SMALLEST = 1e-4
_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("category", pa.string()),
        ("likelihood", pa.float64()),
        ("lift", pa.float64()),
        ("bought_periods", pa.int16()),
    ]
)


@dataclass(frozen=True)
class InterestModel:
    """A logistic regression from evidence to the chance of buying, one for all categories.

    Attributes
    ----------
    mean, sd, coefficients : array of float, shape (E,)
        Of the E columns of `EVIDENCE`.
    intercept : float
        Log-odds of average evidence.
    """

    mean: Floats
    sd: Floats
    coefficients: Floats
    intercept: float

    @classmethod
    def fit(cls, evidence: Floats, bought: npt.NDArray[np.bool_]) -> InterestModel:
        """Fit on customers whose future is known.

        Parameters
        ----------
        evidence : array of float, shape (N, E)
            One row per customer and category.
        bought : array of bool, shape (N,)
            Whether the customer bought from the category; some must have, and some not.
        """
        from sklearn.linear_model import LogisticRegression

        mean, sd = evidence.mean(axis=0), np.maximum(evidence.std(axis=0), 1e-9)
        fitted = LogisticRegression(max_iter=1_000).fit((evidence - mean) / sd, bought)
        return cls(mean, sd, fitted.coef_[0], float(fitted.intercept_[0]))

    def chances(self, evidence: Floats) -> Floats:
        """Return the chance of buying, 0 to 1, for evidence of shape (…, E)."""
        scores = ((evidence - self.mean) / self.sd) @ self.coefficients + self.intercept
        return 1.0 / (1.0 + np.exp(-np.clip(scores, -30, 30)))


def evidence_of(outlook: pd.DataFrame, columns: Sequence[str], periods: Bits, rates: Floats) -> Floats:
    """Return what is known of the interests of B customers in C categories.

    Parameters
    ----------
    outlook : DataFrame
        B rows of ``outlook.parquet`` or ``matured.parquet``.
    columns : sequence of str
        The C taste columns.
    periods : array of int64, shape (B, C)
        When each customer bought from each category, as in ``categories.parquet``.
    rates : array of float, shape (C,)
        Share of the shop's customers who bought from the category in the last horizon.

    Returns
    -------
    array of float, shape (B, C, E)
        In the order of `EVIDENCE`; nothing of it is later than the day of the outlook.

    Notes
    -----
    The past is the share of horizons with a purchase from the category, among horizons with any purchase, mixed with
    ``rates`` as if two more horizons had been seen (the mean of a beta-binomial's posterior).
    """
    count = np.bitwise_count(periods).astype(np.float64)
    active = np.bitwise_count(np.bitwise_or.reduce(periods, axis=1)).astype(np.float64)
    past = (count + _PRIOR_HORIZONS * rates) / (active[:, None] + _PRIOR_HORIZONS)
    of_customer = (
        _log_odds(1.0 - outlook["churn_probability"].to_numpy(dtype=np.float64)),
        np.log1p(outlook["expected_orders"].to_numpy(dtype=np.float64)),
    )
    shape = periods.shape
    parts = (
        np.broadcast_to(of_customer[0][:, None], shape),
        outlook[list(columns)].to_numpy(dtype=np.float64),
        np.broadcast_to(of_customer[1][:, None], shape),
        np.broadcast_to(_log_odds(rates), shape),
        _log_odds(past),
        (periods & 1).astype(np.float64),
        ((periods >> 1) & 1).astype(np.float64),
    )
    return np.stack(parts, axis=-1)


@dataclass(frozen=True)
class Interests:
    """Chances of B customers to buy from C categories in the horizon after a day.

    Attributes
    ----------
    categories : tuple of str
        The C categories that have a taste head.
    customer_ids : array of str, shape (B,)
        Customers with an order, bucket after bucket.
    chances : array of float, shape (B, C)
    periods : array of int64, shape (B, C)
        When each customer bought from each category, as in ``categories.parquet``.
    """

    categories: tuple[str, ...]
    customer_ids: npt.NDArray[np.object_]
    chances: Floats
    periods: Bits

    def above_average(self) -> pa.Table:
        """Return the rows of ``interests.parquet``: where a customer is likelier to buy than customers are on average.

        Returns
        -------
        pyarrow.Table
            By customer and category: ``likelihood`` (to 1e-4), ``lift`` (over the mean of all customers) and
            ``bought_periods`` (horizons of the last 365 days in which the customer bought from it).
        """
        mean = self.chances.mean(axis=0)
        customer, category = np.nonzero(self.chances > mean)
        likelihood = self.chances[customer, category]
        columns = [
            pa.array(self.customer_ids[customer], pa.string()),
            pa.array(np.array(self.categories, dtype=object)[category], pa.string()),
            np.round(likelihood, 4),
            np.round(likelihood / mean[category], 2),
            np.bitwise_count(self.periods[customer, category]).astype(np.int16),
        ]
        return pa.table(columns, schema=_SCHEMA).sort_by([("customer_id", "ascending"), ("category", "ascending")])


def write_interests(lake: Lake, day: date) -> str:
    """Write ``interests.parquet`` beside the outlook of a day, in place of what an earlier run of the day wrote.

    Returns
    -------
    str
        Why there are no interests, in words; '' if there are.
    """
    target = lake.path(OUTLOOK, day=day) / INTERESTS_FILE
    remove(target)
    interests = tell_interests(lake, day)
    if isinstance(interests, str):
        return interests
    lake.write_table(interests.above_average(), target)
    return ""


def tell_interests(lake: Lake, day: date) -> Interests | str:
    """Tell how likely each customer is to buy from each category, or why that cannot be told.

    The chances are fitted on what customers whom the encoder never trained on really bought in the horizon after the
    newest matured cut-off, from what was known at its end; then they are told from what is known at the end of ``day``.

    Parameters
    ----------
    lake : Lake
        Holds the day's outlook, features and windows.
    day : date
        Business day.

    Returns
    -------
    Interests or str
        The reason in words where there are none.
    """
    folder = lake.path(OUTLOOK, day=day)
    summary = json.loads((folder / "outlook.json").read_text())
    categories = [head["category"] for head in summary["taste"]]
    columns = [head["column"] for head in summary["taste"]]
    if summary["model_version"] == NO_MODEL or not categories:
        return "there is no model" if summary["model_version"] == NO_MODEL else "no category can be foreseen"
    past = _buckets(lake.path(WINDOWS, day=day, cutoff=summary["cutoff"]))
    present = _buckets(lake.path(FEATURES, day=day))
    if any("periods" not in pq.read_schema(bucket / "categories.parquet").names for bucket in (*past, *present)):
        return "the features were made before they said when customers bought"
    matured = pd.read_parquet(folder / "matured.parquet", partitioning=None)
    outlook = pd.read_parquet(folder / "outlook.parquet", partitioning=None)
    if not {"churn_probability", "expected_orders"} <= set(outlook.dropna(axis=1, how="all").columns):
        return "no orders can be foreseen"

    known, happened = [], []
    rates = _rates(past, categories)
    for bucket, rows, periods in _by_bucket(past, matured, categories):
        apart = rows["held_out"].to_numpy(dtype=bool)
        known.append(evidence_of(rows[apart], columns, periods[apart], rates))
        happened.append(_bought(bucket, rows.loc[apart, "customer_id"], categories))
    evidence, bought = np.concatenate(known), np.concatenate(happened)
    if len(evidence) < MINIMUM_HELD_OUT:
        return f"{len(evidence)} customers apart from training have a known future, and {MINIMUM_HELD_OUT} are needed"
    if bought.all() or not bought.any():
        return "customers of known future all bought alike"
    model = InterestModel.fit(evidence.reshape(-1, len(EVIDENCE)), bought.ravel())
    weights = ", ".join(f"{name} {value:+.2f}" for name, value in zip(EVIDENCE, model.coefficients, strict=True))
    logger.info("interests from %d customers apart from training: %s", len(evidence), weights)

    rates = _rates(present, categories)
    parts = [
        (rows["customer_id"].to_numpy(dtype=object), model.chances(evidence_of(rows, columns, periods, rates)), periods)
        for _, rows, periods in _by_bucket(present, outlook, categories)
    ]
    return Interests(tuple(categories), *(np.concatenate(each) for each in zip(*parts, strict=True)))


def _buckets(folder: Path) -> list[Path]:
    return sorted(file.parent for file in folder.glob("bucket=*/static.parquet"))


def _by_bucket(
    buckets: Sequence[Path], outlook: pd.DataFrame, categories: Sequence[str]
) -> Iterator[tuple[Path, pd.DataFrame, Bits]]:
    """Yield each bucket with its customers' rows of the outlook and when they bought from each category, (B, C)."""
    by_customer = outlook.set_index(outlook["customer_id"].astype(str))
    for bucket in buckets:
        ids = pd.read_parquet(bucket / "static.parquet", columns=["customer_id"], partitioning=None)["customer_id"]
        yield bucket, by_customer.loc[ids.astype(str).tolist()], _periods(bucket, ids, categories)


def _periods(bucket: Path, ids: pd.Series, categories: Sequence[str]) -> Bits:
    table = pd.read_parquet(bucket / "categories.parquet", partitioning=None)
    return _spread(table, ids, categories, table["periods"].to_numpy(dtype=np.int64))


def _bought(bucket: Path, ids: pd.Series, categories: Sequence[str]) -> npt.NDArray[np.bool_]:
    table = pd.read_parquet(bucket / "target_categories.parquet", partitioning=None)
    return _spread(table, ids, categories, np.ones(len(table), np.int64)) > 0


def _spread(table: pd.DataFrame, ids: pd.Series, categories: Sequence[str], values: Bits) -> Bits:
    """Lay a long table (customer, category) out as (B, C); 0 where it has no row."""
    customer = pd.Index(ids.astype(str)).get_indexer(pd.Index(table["customer_id"].astype(str)))
    category = pd.Index(list(categories)).get_indexer(pd.Index(table["category"].astype(str)))
    there = (customer >= 0) & (category >= 0)
    whole = np.zeros((len(ids), len(categories)), np.int64)
    whole[customer[there], category[there]] = values[there]
    return whole


def _rates(buckets: Sequence[Path], categories: Sequence[str]) -> Floats:
    """Return the share of customers who bought from each category in the last horizon, (C,)."""
    buyers, customers = np.zeros(len(categories)), 0
    for bucket in buckets:
        ids = pd.read_parquet(bucket / "static.parquet", columns=["customer_id"], partitioning=None)["customer_id"]
        buyers += (_periods(bucket, ids, categories) & 1).sum(axis=0)
        customers += len(ids)
    return buyers / max(customers, 1)


def _log_odds(shares: Floats) -> Floats:
    bounded = np.clip(shares, _SMALLEST, 1.0 - _SMALLEST)
    return np.log(bounded / (1.0 - bounded))
