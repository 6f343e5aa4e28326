"""How a feature's figure is said to a marketer: in a customer's reasons, and in a segment's name.

Units and the words for high and low are in `segmentation.features.definitions`; here are the sentences that
carry a figure, and the short traits that fit into a name. A feature that is not listed is not told (trends and
ratios that nobody can picture); it may still count in the model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from segmentation.features.definitions import BY_NAME


@dataclass(frozen=True)
class Words:
    """The words of one feature.

    Attributes
    ----------
    sentence : with {v} for the customer's or segment's figure
    high, low : a short trait for a segment's name; '' = not fit for one
    """

    sentence: str
    high: str = ""
    low: str = ""


def _windowed(stem: str, sentence: str, days: Iterable[int], high: str = "", low: str = "") -> dict[str, Words]:
    return {f"{stem}_{d}d": Words(f"{sentence} in {d} days", high, low) for d in days}


WORDS: dict[str, Words] = {
    "recency_days": Words("last ordered {v} days ago", "long silent", "just bought"),
    "tenure_days": Words("first ordered {v} days ago", "old customers", "new customers"),
    **_windowed("frequency", "ordered {v} times", (91, 28, 365), "many orders", "few orders"),
    **_windowed("monetary", "spent {v}", (91, 28, 365), "high spend", "low spend"),
    "average_order_value": Words("pays {v} an order", "big baskets", "small baskets"),
    "items_per_order": Words("buys {v} different items an order", "many items at once", "few items at once"),
    "average_item_value": Words("pays {v} an item", "dear items", "cheap items"),
    "distinct_categories": Words("bought from {v} categories in a year", "wide range", "narrow range"),
    "top_category_share": Words("spends {v} in one category", "one favourite category", "mixed categories"),
    "repeat_product_share": Words("{v} of items are repeats", "same items again", "new items each time"),
    "gap_days_mean": Words("orders every {v} days", "long gaps", "short gaps"),
    "gap_days_variation": Words("gaps between orders vary by {v}", "irregular rhythm", "steady rhythm"),
    "discount_share": Words("gets {v} off by discounts", "many discounts", "few discounts"),
    "coupon_share": Words("uses a coupon in {v} of orders", "coupon users", "no coupons"),
    "returns_share": Words("returns {v} of orders", "many returns", "few returns"),
    "weekend_share": Words("places {v} of orders at weekends", "weekend buyers", "weekday buyers"),
    "morning_share": Words("places {v} of orders before noon", "morning buyers"),
    "evening_share": Words("places {v} of orders in the evening", "evening buyers"),
    "days_since_last_event": Words("was last active {v} days ago"),
    **_windowed("sessions", "visited {v} times", (91, 28), "many visits", "few visits"),
    **_windowed("product_views", "looked at {v} products", (91, 28), "much browsing", "little browsing"),
    **_windowed("searches", "searched {v} times", (91, 28), "many searches", "few searches"),
    **_windowed("carts", "put {v} products in the cart", (91, 28), "full carts", "empty carts"),
    "views_per_session": Words("views {v} pages a visit", "long visits", "short visits"),
    "minutes_per_session": Words("stays {v} minutes a visit"),
    "sessions_per_order": Words("visits {v} times per order", "long deliberation", "quick decisions"),
    "search_session_share": Words("searches in {v} of visits", "search first", "browse first"),
    "evening_session_share": Words("visits in the evening {v} of the time", "evening visits"),
    "cart_removal_share": Words("takes {v} of the cart out again", "much put back"),
    "cart_abandonment": Words("leaves {v} of carts", "carts left behind", "carts always bought"),
    "later_cart_share": Words("buys {v} of carts on a later visit", "buys on return", "buys at once"),
    "campaign_open_share": Words("opens {v} of campaigns", "opens campaigns", "ignores campaigns"),
    "campaign_click_share": Words("clicks {v} of campaigns", "clicks campaigns"),
    "campaign_order_share": Words("orders after a campaign {v} of the time", "campaign driven", "unprompted"),
    **_windowed("coupons_redeemed", "redeemed {v} coupons", (365, 91), "coupon users", "no coupons"),
    "app_order_share": Words("orders in the app {v} of the time", "app users"),
    "click_order_share": Words("comes to {v} of orders through a campaign click"),
    "search_order_share": Words("searches before {v} of orders", "search first"),
}


def told_features(columns: Iterable[str]) -> list[str]:
    """Return the features among ``columns`` that have words, in the order of the words."""
    present = set(columns)
    return [name for name in WORDS if name in present]


def figure(name: str, value: float, currency: str = "") -> str:
    """Write a feature's figure.

    Examples
    --------
    >>> figure("monetary_91d", 1234.5, "$"), figure("discount_share", 0.0834), figure("recency_days", 2.96)
    ('$1,234', '8 %', '3')
    >>> figure("average_order_value", 8.256, "EUR"), figure("items_per_order", 2.25)
    ('8.26 EUR', '2.2')
    """
    unit = BY_NAME[name].unit
    if unit in ("share", "ratio"):
        return f"{value * 100:.0f} %"
    if unit == "money":
        amount = f"{value:,.2f}" if 0 < abs(value) < 10 else f"{value:,.0f}"
        return f"{currency}{amount}" if len(currency) == 1 else f"{amount} {currency}".rstrip()
    # a decimal means something for averages and for little
    return f"{value:.1f}".removesuffix(".0") if abs(value) < 2 or "_per_" in name else f"{value:,.0f}"


def reason(name: str, value: float, shop: float, currency: str = "") -> str:
    """Say a customer's figure beside the shop's median.

    Examples
    --------
    >>> reason("frequency_91d", 14.0, 5.0)
    'ordered 14 times in 91 days, shop median 5'
    """
    return f"{said(name, value, currency)}, shop median {figure(name, shop, currency)}"


def said(name: str, value: float, currency: str = "") -> str:
    """Say a figure alone.

    Examples
    --------
    >>> said("frequency_28d", 1.0)
    'ordered once in 28 days'
    """
    written = figure(name, value, currency)
    sentence = WORDS[name].sentence
    if written == "1":
        sentence = sentence.replace("{v} times", "once").replace("{v} days", "{v} day")
    return sentence.format(v=written)


def distinctive(name: str, value: float, shop: float, high: bool, currency: str = "", average: bool = False) -> str:
    """Say what a segment is like, with its figure beside the shop's.

    Examples
    --------
    >>> distinctive("discount_share", 0.02, 0.10, high=False)
    'pays full price: gets 2 % off by discounts, shop median 10 %'
    """
    phrase = BY_NAME[name].high if high else BY_NAME[name].low
    middle = "mean" if average else "median"
    return f"{phrase}: {said(name, value, currency)}, shop {middle} {figure(name, shop, currency)}"


def trait(name: str, high: bool) -> str:
    """Return the short trait of a high or low value, '' if there is none fit for a name."""
    words = WORDS[name]
    return words.high if high else words.low
