"""One segment: what sets it apart, what it buys, what to do about it, who came and who went."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from segmentation.errors import NotThere
from segmentation.pages import charts
from segmentation.pages.night import Night, is_small, read_night, shown
from segmentation.pages.overview import LOOK_BACK_DAYS
from segmentation.pages.reader import Reading, Row, Warehouse

#: Days that the moves in and out look back.
MOVES_DAYS = 28
#: A ratio to the shop is drawn up to this and its reciprocal.
_RATIO_LIMIT = 8.0

# column of the profile, what it is called, how it is shown
MEASURES = (
    ("revenue_per_customer_28d", "Revenue per customer, 28 days", "money"),
    ("orders_per_customer_28d", "Orders per customer, 28 days", "number"),
    ("revenue_per_customer_365d", "Revenue per customer, 365 days", "money"),
    ("orders_per_customer_365d", "Orders per customer, 365 days", "number"),
    ("average_order_value", "Average order value", "money"),
    ("recency_days_median", "Days since the last order (median)", "number"),
    ("days_between_orders_median", "Days between orders (median)", "number"),
    ("discount_share", "Discount share", "percent"),
    ("returns_share", "Returned orders", "percent"),
    ("sessions_per_customer_28d", "Visits per customer, 28 days", "number"),
    ("campaign_order_share", "Orders after a campaign", "percent"),
    ("expected_spend_28d", "Expected spend per customer, next 28 days", "money"),
    ("expected_churn_28d", "Expected to stay away, next 28 days", "percent"),
)
# what the profiles call the column whose ratio to the shop they give
_RATIO_OF = {
    "revenue_per_customer_28d": "revenue_28d",
    "orders_per_customer_28d": "orders_28d",
    "revenue_per_customer_365d": "revenue_365d",
    "orders_per_customer_365d": "orders_365d",
    "sessions_per_customer_28d": "sessions_28d",
}


def segment_view(warehouse: Warehouse, segment_id: int, asked: date | None, currency: str) -> dict[str, Any]:
    """Read what `segment.html` shows.

    Raises
    ------
    NotThere
        If there is no such segment or no such night.
    SegmentationError
        If the warehouse cannot be read.
    """
    with warehouse.reading() as reading:
        night = read_night(reading, asked)
        if night is None or segment_id not in night.segments:
            raise NotThere(f"There is no segment {segment_id}.")
        return {"night": night, **describe_segment(reading, night, segment_id, currency)}


def describe_segment(reading: Reading, night: Night, segment_id: int, currency: str) -> dict[str, Any]:
    """Return everything about one segment of a night; few figures for a small one, and for one that is no more."""
    profile = night.profiles.get(segment_id)
    events = reading.rows("read_lifecycle.sql", first=night.days[-1], last=night.day)
    found: dict[str, Any] = {
        "segment": night.segments[segment_id],
        "profile": profile,
        "lifecycle": [row for row in events if row["segment_id"] == segment_id],
    }
    if profile is None or profile["small"]:
        return found
    first = night.earlier(LOOK_BACK_DAYS)
    history = [
        row
        for row in shown(reading.rows("read_profiles.sql", first=first, last=night.day))
        if row["segment_id"] == segment_id and not row["small"]
    ]
    measures = compare(profile, shop_figures(night.profiles))
    ratios = [
        {"measure": row["measure"], "ratio": min(max(row["ratio"], 1 / _RATIO_LIMIT), _RATIO_LIMIT)}
        for row in measures
        if row["ratio"]
    ]
    categories = [
        {"name": row["category"], "share": row["share"], "shop_share": row["share"] / row["lift"], "lift": row["lift"]}
        for row in profile["top_categories"]
        if not is_small(row.get("buyers")) and row["lift"]
    ]
    tastes = reading.rows("read_segment_tastes.sql", day=night.day, segment_id=segment_id)
    mix = [row | {"shop_share": row["share"] / row["lift"]} for row in tastes if row["lift"]]
    unit = f", {currency}" if currency else ""
    since = night.earlier(MOVES_DAYS)
    moves = reading.rows("read_transitions.sql", first=since, last=night.day, segment_id=segment_id)
    return found | {
        "measures": measures,
        "versus_chart": charts.versus_shop(ratios) if ratios else None,
        "categories": categories,
        "categories_chart": charts.shares(categories, "share of spend, 365 days") if categories else None,
        "tastes": mix,
        "tastes_chart": charts.shares([_named(row) for row in mix], "share of the customers") if mix else None,
        "affinities": reading.rows("read_affinities.sql", day=night.day, segment_id=segment_id),
        "actions": [row for row in reading.rows("read_actions.sql", day=night.day) if row["segment_id"] == segment_id],
        "results": [
            row
            for row in reading.rows("read_campaign_results.sql", day=night.day)
            if row["segment_id"] == segment_id and not is_small(row["treated"]) and not is_small(row["control"])
        ],
        "bridge": next(
            (
                row
                for row in reading.rows("read_bridge.sql", first=since, last=night.day)
                if row["segment_id"] == segment_id
            ),
            None,
        ),
        "moves_since": since,
        "came": [row for row in moves if row["to_segment_id"] == segment_id],
        "went": [row for row in moves if row["from_segment_id"] == segment_id],
        "history": history,
        "sizes_chart": charts.lines([{"day": row["as_of"], "value": row["customers"]} for row in history], "customers"),
        "revenue_chart": charts.lines(
            [{"day": row["as_of"], "value": row["revenue_28d"]} for row in history], f"revenue of 28 days{unit}"
        ),
    }


def compare(profile: Row, shop: Mapping[str, float]) -> list[dict[str, Any]]:
    """Put each figure of a segment beside the shop's.

    Parameters
    ----------
    profile : the segment's row of marts.segment_profiles
    shop : from `shop_figures`; where the profile itself gives a ratio to the shop, that one counts

    Returns
    -------
    list of dict
        measure, kind, value, shop and ratio, unknown ones None; figures that the shop does not have are left out.
    """
    given = profile.get("versus_shop") or {}
    rows: list[dict[str, Any]] = []
    per_customer = _per_customer(profile)
    for column, measure, kind in MEASURES:
        value = per_customer[column] if column in per_customer else _number(profile.get(column))
        if value is None:
            continue
        ratio, usual = given.get(_RATIO_OF.get(column, column)), shop.get(column)
        if ratio is None and usual:
            ratio = value / usual
        elif ratio:
            usual = value / ratio if value else usual
        if not value and not usual:
            # a shop without visits, returns or campaigns
            continue
        low, high = (_number(profile.get(f"{column}_{end}")) for end in ("low", "high"))
        rows.append(
            {"measure": measure, "kind": kind, "value": value, "shop": usual, "ratio": ratio, "low": low, "high": high}
        )
    return rows


def shop_figures(profiles: Mapping[int, Row]) -> dict[str, float]:
    """Return the shop's figures as far as they follow exactly from its segments'; small segments are not counted."""
    rows = [row for row in profiles.values() if not row["small"]]
    ordering = [row for row in rows if row["orders_365d"]]
    figures: dict[str, float | None] = {}
    customers = sum(row["customers"] for row in rows)
    for column in ("revenue_28d", "orders_28d", "revenue_365d", "orders_365d", "sessions_28d"):
        total = _total(rows, column)
        name = column.replace("_", "_per_customer_", 1)
        figures[name] = total / customers if total is not None and customers else None
    orders, revenue = _total(rows, "orders_365d"), _total(rows, "revenue_365d")
    figures["average_order_value"] = revenue / orders if orders and revenue is not None else None
    discounted = [row for row in ordering if row["discount_share"] is not None and row["discount_share"] < 1]
    off = sum(float(row["revenue_365d"]) * row["discount_share"] / (1 - row["discount_share"]) for row in discounted)
    paid = sum(float(row["revenue_365d"]) for row in discounted)
    figures["discount_share"] = off / (off + paid) if off + paid else None
    returned = [row for row in ordering if row["returns_share"] is not None]
    returnable = sum(row["orders_365d"] for row in returned)
    figures["returns_share"] = (
        sum(row["returns_share"] * row["orders_365d"] for row in returned) / returnable if returnable else None
    )
    for column in ("expected_spend_28d", "expected_churn_28d"):
        known = [row for row in rows if row[column] is not None]
        count = sum(row["customers"] for row in known)
        figures[column] = sum(row[column] * row["customers"] for row in known) / count if count else None
    return {name: value for name, value in figures.items() if value is not None}


def _per_customer(profile: Row) -> dict[str, float | None]:
    figures = {}
    for name, column in _RATIO_OF.items():
        value = _number(profile.get(column))
        figures[name] = None if value is None else value / profile["customers"]
    return figures


def _total(rows: list[Row], column: str) -> float | None:
    values = [row[column] for row in rows if row.get(column) is not None]
    return float(sum(values)) if values else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, Decimal | float | int) else None


def _named(row: Row) -> Row:
    return {"name": row["name"], "share": row["share"], "shop_share": row["shop_share"]}
