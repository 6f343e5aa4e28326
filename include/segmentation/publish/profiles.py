"""Size, money and habits of each segment, and the ways customers went, from the night's files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from segmentation.catalog import FEATURES, MINIMUM_SHOWN, NO_ORDER_SEGMENT, OUTLOOK
from segmentation.config import Settings
from segmentation.errors import MissingInput

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Path(__file__).parent
#: Categories listed per segment, and channels.
TOP_CATEGORIES = 5
TOP_CHANNELS = 10
#: Bands of expected spend in which it is measured how far off the model is.
SPREAD_BANDS = 20
#: Standard errors from the mean to either end of a 95 % interval of a normal distribution.
NORMAL_95 = 1.959964

_EMPTY_OUTLOOK = (
    "select null::varchar as customer_id, null::double as expected_spend, null::double as churn_probability where false"
)
_EMPTY_CATEGORIES = (
    "select null::varchar as customer_id, null::varchar as category, null::double as spend_share where false"
)
_EMPTY_CHANNELS = "select null::varchar as customer_id, null::varchar as channel, null::bigint as contacts where false"
_EMPTY_MATURED = (
    "select null::varchar as customer_id, null::double as expected_spend, null::double as actual_spend where false"
)
_EMPTY_LABELS = "select null::varchar as customer_id, null::integer as segment_id where false"
#: Features of customers with an order that the profiles read; a shop without events lacks the last four.
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
    "campaign_order_share",
    "campaigns_sent_365d",
    "coupons_redeemed_365d",
)


#: Figures of `_figures` that are columns of their own as they are.
_TOLD_OF_FEW = ("as_of", "segment_id", "customers", "share")
#: What stands in the place of lists and comparisons that are not told.
_UNTOLD: dict[str, Any] = {"top_categories": [], "distinctive": [], "channels": [], "versus_shop": {}}
_MEASURED = (
    "recency_days_median",
    "days_between_orders_median",
    "discount_share",
    "returns_share",
    "campaign_order_share",
    "expected_spend_28d",
    "expected_churn_28d",
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
        With the views labels, base_labels, static, categories, channels, outlook and matured; what the shop or the
        night does not have is an empty view or a null column.

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
    # nights from before channels were counted may be published again
    channels = sorted(features.glob("bucket=*/channels.parquet"))
    outlook, matured = (settings.lake.path(OUTLOOK, day=day) / f"{name}.parquet" for name in ("outlook", "matured"))
    limits = settings.features
    with duckdb.connect(config={"threads": limits.threads, "memory_limit": f"{limits.memory_limit_gb}GB"}) as duck:
        # nights from before there were tastes may be published again
        taste = "" if "taste_id" in pq.read_schema(labels).names else ", null::integer as taste_id"
        _read(duck, [labels]).project(f"*{taste}").create_view("labels")
        _read(duck, static).project(", ".join(["customer_id", *columns])).create_view("static")
        for name, files, empty in (
            ("base_labels", [base_labels] if base_labels else [], _EMPTY_LABELS),
            ("categories", categories, _EMPTY_CATEGORIES),
            ("channels", channels, _EMPTY_CHANNELS),
            ("outlook", [outlook] if outlook.exists() else [], _EMPTY_OUTLOOK),
            ("matured", [matured] if matured.exists() else [], _EMPTY_MATURED),
        ):
            (_read(duck, files) if files else duck.sql(empty)).create_view(name)
        yield duck


def profile_segments(
    duck: DuckDBPyConnection, day: date, distinctive: Mapping[int, Sequence[str]]
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Describe each segment, and the shop, as of the end of a day.

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
    dict or None
        All customers with an order described as if they were one segment; None without any.
    """
    counted = _rows(duck, "profile_segments.sql")
    shop = next((row for row in counted if row["segment_id"] is None), None)
    segments = [row for row in counted if row["segment_id"] is not None]
    ranked = _rows(duck, "rank_categories.sql", {"minimum_buyers": MINIMUM_SHOWN, "top": TOP_CATEGORIES})
    channels = _rows(duck, "rank_channels.sql", {"minimum_customers": MINIMUM_SHOWN, "top": TOP_CHANNELS})
    categories_of, channels_of = _by_segment(ranked), _by_segment(channels)
    spread = {row["segment_id"]: row for row in _rows(duck, "measure_spread.sql", {"bands": SPREAD_BANDS})}
    customers = sum(row["customers"] for row in segments)
    # shares of what is told, or the missing one would follow from the others
    cents = sum(row["cents_28d"] for row in segments if not is_few(row))
    campaigns = shop is not None and shop["reached"]
    usual = _figures(shop, campaigns=campaigns) if shop else {}

    def describe(row: dict[str, Any]) -> dict[str, Any]:
        figures = _figures(row, campaigns=campaigns)
        return {
            "as_of": day,
            "segment_id": row["segment_id"],
            "customers": row["customers"],
            "share": row["customers"] / customers,
            "revenue_28d": _money(row["cents_28d"]),
            "revenue_share_28d": None if is_few(row) else _ratio(row["cents_28d"], cents),
            "orders_28d": row["orders_28d"],
            "revenue_365d": _money(row["cents_365d"]),
            "orders_365d": row["orders_365d"],
            "average_order_value": _average_money(row["cents_365d"], row["orders_365d"]),
            **{name: figures[name] for name in _MEASURED},
            "sessions_28d": row["sessions_28d"],
            "top_categories": categories_of.get(row["segment_id"], []),
            "distinctive": list(distinctive.get(row["segment_id"], [])),
            "channels": channels_of.get(row["segment_id"], []),
            **_intervals(row, spread.get(row["segment_id"])),
            "versus_shop": _versus(row, figures, usual),
        }

    return [describe(row) for row in segments], describe(shop) if shop else None


def is_few(profile: Mapping[str, Any]) -> bool:
    """Tell whether figures of a profile would describe single people; those without an order have none."""
    return profile["segment_id"] != NO_ORDER_SEGMENT and profile["customers"] < MINIMUM_SHOWN


def without_few(profiles: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return profiles as they may be read: of fewer than `MINIMUM_SHOWN` customers only how many they are."""
    return [
        {name: value if name in _TOLD_OF_FEW else _UNTOLD.get(name) for name, value in profile.items()}
        if is_few(profile)
        else dict(profile)
        for profile in profiles
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


def _figures(row: Mapping[str, Any], *, campaigns: bool) -> dict[str, float | None]:
    """Return what a segment and the shop are compared by; sums per customer."""
    customers, foreseen = row["customers"], row["foreseen_customers"] * 1_000_000
    few = row["respondable_customers"] < MINIMUM_SHOWN
    return {
        "revenue_28d": row["cents_28d"] / customers,
        "orders_28d": row["orders_28d"] / customers,
        "revenue_365d": row["cents_365d"] / customers,
        "orders_365d": row["orders_365d"] / customers,
        "average_order_value": _ratio(row["cents_365d"], row["orders_365d"]),
        "recency_days_median": row["recency_days_median"],
        "days_between_orders_median": row["days_between_orders_median"],
        "discount_share": _share_missing(row["discounted_cents_365d"], row["undiscounted_cents_365d"]),
        "returns_share": _ratio(row["returned_orders_365d"], row["returnable_orders_365d"]),
        "campaign_order_share": (
            _ratio(row["campaign_orders_365d"], row["respondable_orders_365d"]) if campaigns and not few else None
        ),
        "sessions_28d": _ratio(row["sessions_28d"], customers),
        "expected_spend_28d": _ratio(row["expected_spend_millionths"], foreseen),
        "expected_churn_28d": _ratio(row["churn_millionths"], foreseen),
    }


def _versus(
    row: Mapping[str, Any], figures: Mapping[str, float | None], usual: Mapping[str, float | None]
) -> dict[str, float]:
    if row["segment_id"] == NO_ORDER_SEGMENT or row["customers"] < MINIMUM_SHOWN:
        return {}
    return {
        name: round(figure / shop, 4)
        for name, figure in figures.items()
        if figure is not None and (shop := usual[name]) is not None and shop > 0
    }


def _intervals(row: Mapping[str, Any], spread: Mapping[str, Any] | None) -> dict[str, float | None]:
    """Return the 95 % intervals of the means of what a segment's customers will spend, and of who will stay away."""
    squares = spread or {"square_cents": None, "square_millionths": None}
    n, spend, churn = row["foreseen_customers"], row["expected_spend_millionths"], row["churn_millionths"]
    spend_low, spend_high = _interval(spend, squares["square_cents"], 100, n)
    churn_low, churn_high = _interval(churn, squares["square_millionths"], 1000, n)
    return {
        "expected_spend_28d_low": spend_low,
        "expected_spend_28d_high": spend_high,
        "expected_churn_28d_low": churn_low,
        "expected_churn_28d_high": None if churn_high is None else min(churn_high, 1.0),
    }


def _interval(millionths: int | None, squares: int | None, scale: int, n: int) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the mean of n outcomes: mean +- 1.96 sqrt(sum of variances) / n, not below 0.

    It holds the chance of single customers, as if the model were right on average. The sum of many independent
    outcomes is nearly normal (Lyapunov's central limit theorem).

    Parameters
    ----------
    millionths : int, optional
        Sum of what is expected, in millionths.
    squares : int, optional
        Sum of the variances, in units of (1 / ``scale``) squared.
    """
    if not n or millionths is None or squares is None:
        return None, None
    mean, width = millionths / 1_000_000 / n, NORMAL_95 * math.sqrt(squares) / scale / n
    return max(mean - width, 0.0), mean + width


def _by_segment(rows: Sequence[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["segment_id"], []).append({k: v for k, v in row.items() if k != "segment_id"})
    return found


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
