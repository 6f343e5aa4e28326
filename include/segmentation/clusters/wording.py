"""How a feature's figure is said to a marketer: in a customer's reasons, a segment's rule and a segment's name.

Units and the words for high and low are in `segmentation.features.definitions`; here are the sentences that
carry a figure, and the short traits that fit into a name. A feature that is not listed is not told (trends and
ratios that nobody can picture); it may still count in the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from segmentation.features.definitions import BY_NAME
from segmentation.money import money


@dataclass(frozen=True)
class Words:
    """The words of one feature.

    Attributes
    ----------
    sentence : with {v} for the customer's or segment's figure
    high, low : a short trait for a segment's name; '' = not fit for one
    in_rule : the sentence for a range of figures ("at least 3"), where the other one does not take it; '' = it does
    """

    sentence: str
    high: str = ""
    low: str = ""
    in_rule: str = ""


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
    "gap_days_mean": Words("orders every {v} days", "long gaps", "short gaps", "lets {v} days pass between orders"),
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


@dataclass(frozen=True)
class Foreseen:
    """The words of one figure that the model expects.

    Attributes
    ----------
    sentence : with {v} for the figure and {h} for the days that the model looks ahead
    unit : as in `segmentation.features.definitions`
    traits : four short traits for a segment's name: lowest quarter of the shop's customers, below its middle, above,
        highest quarter
    """

    sentence: str
    unit: str
    traits: tuple[str, str, str, str]


#: Columns of the outlook in natural units.
FORESEEN: dict[str, Foreseen] = {
    "expected_spend": Foreseen(
        "expected to spend {v} in the next {h} days",
        "money",
        ("low spend ahead", "below-average spend ahead", "above-average spend ahead", "high spend ahead"),
    ),
    "expected_orders": Foreseen(
        "expected to place {v} orders in the next {h} days",
        "orders",
        ("few orders ahead", "rather few orders ahead", "rather many orders ahead", "many orders ahead"),
    ),
    "churn_probability": Foreseen(
        "{v} chance of no order in the next {h} days",
        "share",
        ("sure to come back", "likely to come back", "less sure to come back", "at risk"),
    ),
}


def told_features(columns: Iterable[str]) -> list[str]:
    """Return the features among ``columns`` that have words, in the order of the words."""
    present = set(columns)
    return [name for name in WORDS if name in present]


def unit(name: str) -> str:
    """Return the unit of a feature or of a figure that the model expects."""
    return FORESEEN[name].unit if name in FORESEEN else BY_NAME[name].unit


def figure(name: str, value: float, currency: str = "") -> str:
    """Write a feature's figure.

    Examples
    --------
    >>> figure("monetary_91d", 1234.5, "$"), figure("discount_share", 0.0834), figure("recency_days", 2.96)
    ('$1,234', '8 %', '3')
    >>> figure("average_order_value", 8.256, "EUR"), figure("items_per_order", 2.25)
    ('8.26 EUR', '2.2')
    """
    measured_in = unit(name)
    if measured_in in ("share", "ratio"):
        return f"{value * 100:.0f} %"
    if measured_in == "money":
        return money(value, currency)
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


def ranged(
    name: str,
    low: float | None,
    high: float | None,
    *,
    whole: bool = False,
    currency: str = "",
    horizon_days: int = 28,
) -> str:
    """Say that a figure lies in ``low <= figure < high``; one of the two may be None = open.

    Parameters
    ----------
    name : feature, or a key of `FORESEEN`
    low, high : ends that read well, written exactly
    whole : whether the figure is always a whole number: then small upper ends are told as the last number inside
    currency : sign or code beside amounts
    horizon_days : days that the model looks ahead

    Examples
    --------
    >>> ranged("expected_spend", 120.0, None, currency="USD")
    'expected to spend at least 120 USD in the next 28 days'
    >>> ranged("recency_days", None, 15.0, whole=True), ranged("frequency_28d", 1.0, 2.0, whole=True)
    ('last ordered at most 14 days ago', 'ordered once in 28 days')
    >>> ranged("churn_probability", 0.1, 0.3)
    'between 10 % and 30 % chance of no order in the next 28 days'
    >>> ranged("expected_spend", 50.0, 130.0, currency="USD", horizon_days=7)
    'expected to spend between 50 and 130 USD in the next 7 days'
    >>> ranged("gap_days_mean", None, 2.5)
    'lets less than 2.5 days pass between orders'
    """
    last = high - 1 if whole and high is not None and high - 1 <= _TOLD_EXACTLY else None
    from_ = None if low is None else _end(name, low, currency)
    to = None if high is None else _end(name, high, currency)
    if last is not None:
        upto = _end(name, last, currency)
        told = f"at most {upto}" if from_ is None else upto if low == last else f"between {from_} and {upto}"
    elif from_ is None:
        told = f"less than {to}"
    else:
        told = f"at least {from_}" if to is None else f"between {from_.removesuffix(f' {currency}')} and {to}"
    sentence = FORESEEN[name].sentence if name in FORESEEN else WORDS[name].in_rule or WORDS[name].sentence
    written = sentence.replace("{h}", str(horizon_days)).replace("{v}", told)
    # "at least 1 times" is no English
    written = re.sub(r"(?<![\d.,])\b1 times", "once", written)
    return re.sub(r"(?<![\d.,])\b1 (day|order|categorie|product|coupon|page|minute)s\b", _singular, written)


#: A whole upper end up to this is told as the last number inside.
_TOLD_EXACTLY = 20


def _singular(found: re.Match[str]) -> str:
    return f"1 {found[1].replace('categorie', 'category')}"


def _end(name: str, value: float, currency: str) -> str:
    """Write an end of a range exactly: the figure of a person may be rounded, a limit may not."""
    if unit(name) in ("share", "ratio", "money"):
        return figure(name, value, currency)
    return f"{value:,.1f}".removesuffix(".0")


def foreseen_trait(name: str, place: float) -> str:
    """Return the short trait of a segment whose typical figure lies at ``place`` (0 to 1) among the shop's customers.

    Examples
    --------
    >>> foreseen_trait("expected_spend", 0.8), foreseen_trait("churn_probability", 0.3)
    ('high spend ahead', 'likely to come back')
    """
    return FORESEEN[name].traits[min(int(place * 4), 3)]
