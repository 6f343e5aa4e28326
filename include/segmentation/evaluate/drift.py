"""How far the day's rows, and the customers' features, are from what they were before.

A distribution is compared by the population stability index: the sum over bins of (q - p) log(q / p), where p and q
are the shares of the rows before and now. By convention up to 0.1 is no change, above 0.25 a large one. Shares of
few rows scatter: what days before differed by, compared in the same way, says how much is chance in this shop.

References
----------
.. [1] Siddiqi, N. (2006). Credit Risk Scorecards, chapter 9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from segmentation.catalog import CHECKED, DAILY_TABLES, EVENTS, FEATURES
from segmentation.config import EvaluateSettings
from segmentation.extract.contract import COLUMNS, Kind
from segmentation.features.definitions import FEATURE_NAMES
from segmentation.lake import Lake

Counts = NDArray[np.float64]

#: Days before the day that its rows are compared with, and how many of them must have rows.
COMPARED_DAYS, FEWEST_DAYS = 28, 7
#: Fewer rows of a day, or fewer customers, say nothing.
FEWEST_ROWS = 30
#: A difference is chance up to so many times the largest among the days compared with.
CHANCE = 2.0
_BINS, _WORDS = 10, 20
#: Features read at once: opening a file takes as long as reading one of a hundred thousand customers.
_AT_ONCE = 16
#: Words that name single things (a coupon, a visit): new ones come every day, that is no drift.
_NAMES = ("coupon_code", "session_id", "campaign_id")
#: What orders are now is not what they were on their day: they are paid, sent and returned later.
_CHANGES = ("status",)
#: Grow by one a night for everybody, or jump for everybody when the shop writes to all: that is no drift.
MOVES_WITH_THE_DAY = (
    "recency_days",
    "tenure_days",
    "account_age_days",
    "days_since_last_event",
    "overdue_ratio",
    "campaigns_sent_91d",
    "campaigns_sent_365d",
)


@dataclass(frozen=True)
class Drift:
    """How far one column is from what it was.

    Attributes
    ----------
    column : ``table.column``, or a feature
    value : population stability index, or difference between the shares of nulls
    limit : what is allowed
    """

    column: str
    value: float
    limit: float


@dataclass(frozen=True)
class Drifts:
    """All columns of one kind.

    Attributes
    ----------
    nulls, distributions : columns that could be compared
    basis : what they were compared with, in words; '' = there was nothing to compare with
    """

    nulls: list[Drift]
    distributions: list[Drift]
    basis: str


NOTHING = Drifts([], [], "")


def psi(before: Counts, now: Counts) -> float:
    """Return the population stability index of two counts of the same bins; a bin without rows counts as half a row.

    Examples
    --------
    >>> round(psi(np.array([50.0, 50.0]), np.array([500.0, 500.0])), 4)
    0.0
    >>> round(psi(np.array([500.0, 500.0]), np.array([800.0, 200.0])), 2)
    0.41
    """
    p = (before + 0.5) / (before.sum() + 0.5 * len(before))
    q = (now + 0.5) / (now.sum() + 0.5 * len(now))
    return float(np.sum((q - p) * np.log(q / p)))


def input_drift(lake: Lake, day: date, limits: EvaluateSettings) -> Drifts:
    """Compare the day's checked rows with those of the weeks before.

    Parameters
    ----------
    lake : Lake
        Its checked files are read.
    day : date
        Business day.
    limits : EvaluateSettings
        ``drift_limit`` and ``null_share_limit``; what the days before scattered by widens them.

    Returns
    -------
    Drifts
        Empty if fewer than `FEWEST_DAYS` days before are known.
    """
    earliest = day - timedelta(days=COMPARED_DAYS)
    nulls, distributions, most = [], [], 0
    for table in DAILY_TABLES:
        days = [before for before in lake.days(CHECKED, table) if earliest <= before <= day]
        files = {before: lake.rows_file(CHECKED, table, before) for before in days}
        files = {before: file for before, file in files.items() if file.exists()}
        today = files.pop(day, None)
        if today is None:
            continue
        for column, contract in COLUMNS[table].items():
            if contract.kind in (Kind.ID, Kind.TIME) and contract.required:
                continue
            now = _column(today, table, column)
            before = [values for file in files.values() if len(values := _column(file, table, column))]
            if len(now) < FEWEST_ROWS or len(before) < FEWEST_DAYS:
                continue
            most = max(most, len(before))
            name = f"{table}.{column}"
            nulls.append(_null_drift(name, before, now, limits.null_share_limit))
            is_number = contract.kind in (Kind.MONEY, Kind.NUMBER)
            if is_number or (contract.kind in (Kind.TEXT, Kind.LABEL) and column not in (*_NAMES, *_CHANGES)):
                counts = _bins(before, now) if is_number else _words(before, now)
                distributions += _distribution_drift(name, *counts, limits.drift_limit)
    return Drifts(nulls, distributions, f"the {most} days before" if most else "")


def feature_drift(lake: Lake, day: date, base_day: date | None, limits: EvaluateSettings) -> Drifts:
    """Compare the customers' features with those of the published night before.

    Parameters
    ----------
    lake : Lake
        Its features are read, a few columns at a time.
    day, base_day : date
        Business day, and the published day before it; None = first night.
    limits : EvaluateSettings
        ``drift_limit`` and ``null_share_limit``.

    Returns
    -------
    Drifts
        Empty on a first night, after more than `COMPARED_DAYS` days, and if the features of that night are gone.
    """
    if base_day is None or (day - base_day).days > COMPARED_DAYS:
        return NOTHING
    now, before = (sorted(lake.path(FEATURES, day=d).glob("bucket=*/static.parquet")) for d in (day, base_day))
    if not now or not before:
        return NOTHING
    shared = set(pq.read_schema(now[0]).names) & set(pq.read_schema(before[0]).names)
    nulls, distributions = [], []
    known = [name for name in FEATURE_NAMES if name in shared]
    for features in (known[start : start + _AT_ONCE] for start in range(0, len(known), _AT_ONCE)):
        earlier, tonight = _together(before, features), _together(now, features)
        if min(earlier.num_rows, tonight.num_rows) < FEWEST_ROWS:
            return NOTHING
        for feature in features:
            columns = [earlier[feature]], tonight[feature]
            nulls.append(_null_drift(feature, *columns, limits.null_share_limit))
            if feature not in MOVES_WITH_THE_DAY:
                distributions += _distribution_drift(feature, *_bins(*columns), limits.drift_limit)
    return Drifts(nulls, distributions, f"the published night of {base_day}")


def _column(file: Path, table: str, column: str) -> pa.ChunkedArray:
    """Read one column of a day; no rows if the file is from before there was such a column."""
    if column not in pq.read_schema(file).names:
        return pa.chunked_array([], pa.null())
    if table == EVENTS:
        # the shop itself sends campaigns, to all on one day and to nobody on the next; opens and clicks follow
        rows = pq.read_table(file, columns=list({column, "event_type"}), partitioning=None)
        return rows.filter(pc.invert(pc.starts_with(rows["event_type"], "campaign_")))[column]
    return pq.read_table(file, columns=[column], partitioning=None)[column]


def _together(files: Sequence[Path], columns: Sequence[str]) -> pa.Table:
    return pa.concat_tables([pq.read_table(file, columns=list(columns), partitioning=None) for file in files])


def _null_drift(name: str, before: Sequence[pa.ChunkedArray], now: pa.ChunkedArray, limit: float) -> Drift:
    rows = np.array([len(values) for values in before], dtype=float)
    empty = np.array([_missing(values) for values in before], dtype=float)
    usual = float(empty.sum() / rows.sum())
    scatter = float(np.abs(empty / rows - usual).max())
    return Drift(name, abs(_missing(now) / len(now) - usual), max(limit, CHANCE * scatter))


def _missing(values: pa.ChunkedArray) -> int:
    return len(values) - int(pc.sum(pc.is_valid(values)).as_py())


def _numbers(values: pa.ChunkedArray) -> NDArray[np.float64]:
    known = values.drop_null().to_numpy().astype(np.float64)
    return known[np.isfinite(known)]


def _bins(before: Sequence[pa.ChunkedArray], now: pa.ChunkedArray) -> tuple[list[Counts], Counts]:
    """Count numbers in tenths of what they were before; below the smallest is a bin of its own."""
    known = [_numbers(values) for values in before]
    every = np.concatenate(known)
    if not len(every):
        return [], np.zeros(1)
    tenths = np.quantile(every, np.arange(1, _BINS) / _BINS)
    edges = np.unique([np.nextafter(every.min(), -np.inf), *tenths])

    def counted(values: NDArray[np.float64]) -> Counts:
        return np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1).astype(float)

    return [counted(values) for values in known], counted(_numbers(now))


def _words(before: Sequence[pa.ChunkedArray], now: pa.ChunkedArray) -> tuple[list[Counts], Counts]:
    """Count the most frequent words of before; all others together."""
    known = [_counted(values) for values in before]
    total = sum(known, Counter[str]())
    named = [word for word, _ in sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))[:_WORDS]]

    def counted(words: Counter[str]) -> Counts:
        counts = [float(words[word]) for word in named]
        return np.array([*counts, words.total() - sum(counts)])

    return [counted(words) for words in known], counted(_counted(now))


def _counted(values: pa.ChunkedArray) -> Counter[str]:
    counted = pc.value_counts(values.drop_null())
    words, rows = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
    return Counter({str(word): count for word, count in zip(words, rows, strict=True)})


def _distribution_drift(name: str, before: Sequence[Counts], now: Counts, limit: float) -> list[Drift]:
    known = [counts for counts in before if counts.sum()]
    if not known or not now.sum():
        return []
    usual = np.sum(known, axis=0)
    # each day before against the others: what chance, weekends and sales make of this column
    scatter = [psi(usual - counts, counts) for counts in known] if len(known) > 1 else []
    return [Drift(name, psi(usual, now), max(limit, CHANCE * max(scatter, default=0.0)))]
