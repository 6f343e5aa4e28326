"""A picture of all customers, and how segments and tastes cross: made by the night, so that a page need not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segmentation.catalog import MINIMUM_SHOWN

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Path(__file__).parent
#: Points of a map: more cannot be told apart on a screen.
POINTS = 5_000
_DECIMALS = 3
_AXIS_WORDS = {
    "bought": "chance of an order",
    "spend": "expected spend",
    "orders": "expected orders",
    "gap_days_mean": "days between orders",
    "gap_days_variation": "irregularity of the gaps",
}


def map_customers(duck: DuckDBPyConnection, day: date, segmentation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Project a sample of the customers' positions to two dimensions by principal components.

    Distances are taken as the segments take them: in the outlook, each column times its weight.

    Parameters
    ----------
    duck : DuckDBPyConnection
        From `night_files`; the view labels is read.
    day : date
        Business day.
    segmentation : mapping
        Content of the night's `segmentation.json`: outlook_columns (Q names) and outlook_weights (Q).

    Returns
    -------
    list of dict
        One row of `marts.customer_map`, or none for a night without positions in at least two columns. An axis
        points where the column that weighs most in it grows, so that a map does not turn over from night to night.

    References
    ----------
    Pearson, K. (1901): On lines and planes of closest fit to systems of points in space.
    """
    columns, weights = segmentation.get("outlook_columns", []), segmentation.get("outlook_weights", [])
    names = {row[0] for row in duck.sql("describe labels").fetchall()}
    if len(columns) < 2 or "position" not in names:
        return []
    query = (_SQL / "sample_positions.sql").read_text()
    rows = duck.execute(query, {"minimum_customers": MINIMUM_SHOWN, "points": POINTS}).fetchall()
    if len(rows) < MINIMUM_SHOWN:
        return []
    places = np.array([row[1] for row in rows], dtype=float) * np.array(weights, dtype=float)  # (points, Q)
    centred = places - places.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    variance = float((spread**2).sum())
    if variance == 0:
        return []
    two = axes[:2] * np.sign(axes[:2][np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]  # (2, Q)
    points = np.round(centred @ two.T, _DECIMALS) + 0.0  # no minus zero
    (counted,) = duck.sql("select count(*) from labels where position is not null").fetchall()
    return [
        {
            "as_of": day,
            "segment_ids": [row[0] for row in rows],
            "x": points[:, 0].tolist(),
            "y": points[:, 1].tolist(),
            "x_axis": _in_words(columns, two[0]),
            "y_axis": _in_words(columns, two[1]),
            "explained": round(float((spread[:2] ** 2).sum()) / variance, 4),
            "customers": counted[0],
        }
    ]


def mix_tastes(duck: DuckDBPyConnection, day: date) -> list[dict[str, Any]]:
    """Count how the customers of each segment spread over the tastes.

    Returns
    -------
    list of dict
        Rows of `marts.segment_tastes`; a pair with fewer than `MINIMUM_SHOWN` customers is left out.
    """
    result = duck.execute((_SQL / "mix_tastes.sql").read_text(), {"minimum_customers": MINIMUM_SHOWN})
    names = [column[0] for column in result.description]
    return [{"as_of": day, **dict(zip(names, row, strict=True))} for row in result.fetchall()]


def _in_words(columns: Sequence[str], axis: np.ndarray) -> str:
    """Name the two columns that weigh most in an axis, with the direction of the second."""
    first, second = np.abs(axis).argsort()[::-1][:2]
    words = f"higher {_words(columns[first])}"
    if abs(axis[second]) >= abs(axis[first]) / 3:
        words += f", {'higher' if axis[second] > 0 else 'lower'} {_words(columns[second])}"
    return words


def _words(column: str) -> str:
    name = column.removeprefix("q_")
    return _AXIS_WORDS.get(name, name.removeprefix("n_").replace("_", " "))
