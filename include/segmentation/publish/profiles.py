"""Size, money and habits of each segment, and the ways customers went, from the night's files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from segmentation.catalog import FEATURES, OUTLOOK
from segmentation.config import Settings
from segmentation.errors import MissingInput

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Path(__file__).parent
#: Buyers of a category in a segment below which its lift would be chance.
MINIMUM_BUYERS = 5
#: Categories listed per segment.
TOP_CATEGORIES = 5

_EMPTY_OUTLOOK = (
    "select null::varchar as customer_id, null::double as expected_spend, null::double as churn_probability where false"
)
_EMPTY_CATEGORIES = (
    "select null::varchar as customer_id, null::varchar as category, null::double as spend_share where false"
)
_EMPTY_LABELS = "select null::varchar as customer_id, null::integer as segment_id where false"
#: Features of customers with an order that the profiles read; a shop without clickstream lacks the sessions.
_STATIC_COLUMNS = (
    "recency_days",
    "gap_days_mean",
    "monetary_28d",
    "monetary_365d",
    "frequency_28d",
    "frequency_365d",
    "discount_share",
    "returns_share",
    "sessions_28d",
)


@contextmanager
def night_files(settings: Settings, day: date, labels: Path, base_labels: Path | None) -> Iterator[DuckDBPyConnection]:
    """Open what the lake holds about a night as DuckDB views.

    Parameters
    ----------
    settings : Settings
        All settings; the lake is read.
    day : date
        Business day.
    labels : Path
        `labels.parquet` of the day.
    base_labels : Path, optional
        The labels that the day built on; None on the first night.

    Yields
    ------
    DuckDBPyConnection
        With the views labels, base_labels, static, categories and outlook; what the shop or the night does
        not have is an empty view or a null column.

    Raises
    ------
    MissingInput
        If the features of the day are not in the lake.
    """
    import duckdb

    features = settings.lake.path(FEATURES, day=day)
    static = sorted(features.glob("bucket=*/static.parquet"))
    if not static:
        raise MissingInput("features", day, "Clear the task `features` of this run.")
    present = set(pq.read_schema(static[0]).names)
    columns = [name if name in present else f"null::double as {name}" for name in _STATIC_COLUMNS]
    categories = sorted(features.glob("bucket=*/categories.parquet"))
    outlook = settings.lake.path(OUTLOOK, day=day) / "outlook.parquet"
    limits = settings.features
    with duckdb.connect(config={"threads": limits.threads, "memory_limit": f"{limits.memory_limit_gb}GB"}) as duck:
        # nights from before there were tastes may be published again
        taste = "" if "taste_id" in pq.read_schema(labels).names else ", null::integer as taste_id"
        _read(duck, [labels]).project(f"*{taste}").create_view("labels")
        _read(duck, static).project(", ".join(["customer_id", *columns])).create_view("static")
        for name, files, empty in (
            ("base_labels", [base_labels] if base_labels else [], _EMPTY_LABELS),
            ("categories", categories, _EMPTY_CATEGORIES),
            ("outlook", [outlook] if outlook.exists() else [], _EMPTY_OUTLOOK),
        ):
            (_read(duck, files) if files else duck.sql(empty)).create_view(name)
        yield duck


def profile_segments(
    duck: DuckDBPyConnection, day: date, distinctive: Mapping[int, Sequence[str]]
) -> list[dict[str, Any]]:
    """Describe each segment as of the end of a day.

    Parameters
    ----------
    duck : DuckDBPyConnection
        From `night_files`.
    day : date
        Business day.
    distinctive : mapping of int to sequence of str
        What sets each segment apart, in words.

    Returns
    -------
    list of dict
        Rows of `marts.segment_profiles`, one per segment that has customers, by segment. Money is exact to
        the cent.
    """
    rows = _rows(duck, "profile_segments.sql")
    ranked = _rows(duck, "rank_categories.sql", {"minimum_buyers": MINIMUM_BUYERS, "top": TOP_CATEGORIES})
    categories: dict[int, list[dict[str, Any]]] = {}
    for row in ranked:
        categories.setdefault(row.pop("segment_id"), []).append(row)
    customers = sum(row["customers"] for row in rows)
    cents = sum(row["cents_28d"] for row in rows)
    return [
        {
            "as_of": day,
            "segment_id": row["segment_id"],
            "customers": row["customers"],
            "share": row["customers"] / customers,
            "revenue_28d": _money(row["cents_28d"]),
            "revenue_share_28d": _ratio(row["cents_28d"], cents),
            "orders_28d": row["orders_28d"],
            "revenue_365d": _money(row["cents_365d"]),
            "orders_365d": row["orders_365d"],
            "average_order_value": _average_money(row["cents_365d"], row["orders_365d"]),
            "recency_days_median": row["recency_days_median"],
            "days_between_orders_median": row["days_between_orders_median"],
            "discount_share": _share_missing(row["discounted_cents_365d"], row["undiscounted_cents_365d"]),
            "returns_share": _ratio(row["returned_orders_365d"], row["returnable_orders_365d"]),
            "sessions_28d": row["sessions_28d"],
            "top_categories": categories.get(row["segment_id"], []),
            "expected_spend_28d": _ratio(row["expected_spend_millionths"], row["foreseen_customers"] * 1_000_000),
            "expected_churn_28d": _ratio(row["churn_millionths"], row["foreseen_customers"] * 1_000_000),
            "distinctive": list(distinctive.get(row["segment_id"], [])),
        }
        for row in rows
    ]


def count_transitions(duck: DuckDBPyConnection, day: date, base_day: date | None) -> list[dict[str, Any]]:
    """Count the ways that customers went since the labels which the day built on.

    Parameters
    ----------
    duck : DuckDBPyConnection
        From `night_files`.
    day : date
        Business day.
    base_day : date, optional
        Day of the labels before; None on the first night.

    Returns
    -------
    list of dict
        Rows of `marts.segment_transitions`, by from and to.
    """
    return [{"as_of": day, **row, "compared_to": base_day} for row in _rows(duck, "count_transitions.sql")]


def _read(duck: DuckDBPyConnection, files: Sequence[Path]) -> Any:
    return duck.read_parquet([str(file) for file in files], hive_partitioning=False)


def _rows(duck: DuckDBPyConnection, file: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    result = duck.execute((_SQL / file).read_text(), parameters)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _money(cents: int) -> Decimal:
    return Decimal(cents) / 100


def _average_money(cents: int, count: int) -> Decimal | None:
    return (Decimal(cents) / count / 100).quantize(Decimal("0.01")) if count else None


def _ratio(part: int | None, whole: int | None) -> float | None:
    return part / whole if whole and part is not None else None


def _share_missing(part: int | None, whole: int | None) -> float | None:
    return (whole - part) / whole if whole and part is not None else None
