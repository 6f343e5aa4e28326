"""The figures of a segment that the playbook may ask about, and the shop's beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from segmentation.money import money

Profile = Mapping[str, Any]


@dataclass(frozen=True)
class Trait:
    """One figure.

    Attributes
    ----------
    words : str
        What it is called in a rationale.
    kind : str
        How it is written: money, share, days, number.
    of : callable
        Profile row -> figure; None where the shop or the night does not know it.
    """

    words: str
    kind: str
    of: Callable[[Profile], float | None]


def _column(name: str) -> Callable[[Profile], float | None]:
    def figure(row: Profile) -> float | None:
        value = row.get(name)
        return None if value is None else float(value)

    return figure


def _ratio(part: str, whole: str) -> Callable[[Profile], float | None]:
    def figure(row: Profile) -> float | None:
        return float(row[part]) / float(row[whole]) if row.get(part) is not None and row.get(whole) else None

    return figure


def _best_lift(row: Profile) -> float | None:
    return max((float(category["lift"]) for category in row.get("top_categories") or ()), default=None)


#: Figures by the name that the playbook uses.
TRAITS: dict[str, Trait] = {
    "expected_spend_28d": Trait("expected spend in 28 days", "money", _column("expected_spend_28d")),
    "expected_churn_28d": Trait("expected to stay away for 28 days", "share", _column("expected_churn_28d")),
    "recency_days_median": Trait("days since the last order", "days", _column("recency_days_median")),
    "days_between_orders_median": Trait("days between orders", "days", _column("days_between_orders_median")),
    "recency_in_gaps": Trait(
        "time since the last order in usual gaps", "number", _ratio("recency_days_median", "days_between_orders_median")
    ),
    "average_order_value": Trait("average order", "money", _column("average_order_value")),
    "revenue_28d_per_customer": Trait("spend in 28 days", "money", _ratio("revenue_28d", "customers")),
    "revenue_365d_per_customer": Trait("spend in a year", "money", _ratio("revenue_365d", "customers")),
    "orders_28d_per_customer": Trait("orders in 28 days", "number", _ratio("orders_28d", "customers")),
    "orders_365d_per_customer": Trait("orders in a year", "number", _ratio("orders_365d", "customers")),
    "sessions_28d_per_customer": Trait("visits in 28 days", "number", _ratio("sessions_28d", "customers")),
    "sessions_per_order_28d": Trait("visits per order", "number", _ratio("sessions_28d", "orders_28d")),
    "discount_share": Trait("discounts of the value of goods", "share", _column("discount_share")),
    "returns_share": Trait("orders sent back", "share", _column("returns_share")),
    "campaign_order_share": Trait("orders after a campaign", "share", _column("campaign_order_share")),
    "top_category_lift": Trait("lift of the favourite category", "number", _best_lift),
    "customers": Trait("customers", "count", _column("customers")),
    "share": Trait("share of the shop's customers", "share", _column("share")),
}


def traits_of(row: Profile) -> dict[str, float | None]:
    """Return every trait of a segment.

    Parameters
    ----------
    row : mapping
        Row of `marts.segment_profiles`.
    """
    return {name: trait.of(row) for name, trait in TRAITS.items()}


def traits_of_shop(row: Profile | None) -> dict[str, float | None]:
    """Return every trait of the shop; None where it, or the shop, is not known.

    Parameters
    ----------
    row : mapping, optional
        The shop described as a segment is, from `publish.profiles.profile_segments`.
    """
    if row is None:
        return dict.fromkeys(TRAITS)
    # a lift is over the shop
    return {**traits_of(row), "top_category_lift": 1.0}


def said(name: str, value: float, currency: str = "") -> str:
    """Write a trait's figure as a marketer reads it.

    Examples
    --------
    >>> said("expected_churn_28d", 0.4213), said("average_order_value", 12.5, "EUR"), said("recency_days_median", 3.0)
    ('42 %', '12.50 EUR', '3')
    """
    kind = TRAITS[name].kind
    if kind == "share":
        return f"{100 * value:.1f} %" if abs(value) < 0.0995 else f"{100 * value:.0f} %"
    if kind == "money":
        return money(value, currency)
    if kind in ("days", "count"):
        return f"{value:,.0f}"
    return f"{value:,.1f}"
