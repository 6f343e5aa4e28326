"""The one list of static features: what each measures, in which unit, over which window, and how to say it.

Customers are described as of the end of a business day. Unless a feature's window says otherwise, shares and averages
look at the last 365 days and are null where their denominator is 0 (a customer without an order in that time has no
discount share). Order counts include returned orders; money is net of returned orders only where it says "net".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Values of `events.channel` (lower case) that mean a phone app; other channels are the web or a shop.
APP_CHANNELS = ("app", "mobile_app", "ios", "android")


@dataclass(frozen=True)
class Feature:
    """One static feature.

    Attributes
    ----------
    name : str
        Column in ``static.parquet``.
    unit : str
        What 1.0 means.
    window : str
        Which part of the history counts, always up to the as-of day.
    description : str
        One sentence for the documentation.
    high, low : str
        What a marketer says about a customer far above or far below the others.
    transform : {'log1p', 'identity'}
        What is applied before scaling: counts, money and durations are skewed, shares are not.
    source : {'orders', 'items', 'events', 'paths'}
        What the shop must have for the feature to be known.
    """

    name: str
    unit: str
    window: str
    description: str
    high: str
    low: str
    transform: Literal["log1p", "identity"]
    source: Literal["orders", "items", "events", "paths"] = "orders"


def _orders(name: str, unit: str, window: str, description: str, high: str, low: str, *, log: bool) -> Feature:
    return Feature(name, unit, window, description, high, low, "log1p" if log else "identity", "orders")


def _items(name: str, unit: str, window: str, description: str, high: str, low: str, *, log: bool) -> Feature:
    return Feature(name, unit, window, description, high, low, "log1p" if log else "identity", "items")


def _events(name: str, unit: str, window: str, description: str, high: str, low: str, *, log: bool) -> Feature:
    return Feature(name, unit, window, description, high, low, "log1p" if log else "identity", "events")


def _paths(name: str, unit: str, window: str, description: str, high: str, low: str) -> Feature:
    return Feature(name, unit, window, description, high, low, "identity", "paths")


#: In order of importance: of two near-duplicates the first is kept.
FEATURES: tuple[Feature, ...] = (
    _orders(
        "recency_days",
        "days",
        "all",
        "Days since the last order.",
        "has not bought for long",
        "bought lately",
        log=True,
    ),
    _orders("frequency_91d", "orders", "91 days", "Orders placed.", "buys often", "buys rarely", log=True),
    _orders("monetary_91d", "money", "91 days", "Net spending.", "spends much", "spends little", log=True),
    _orders(
        "frequency_28d",
        "orders",
        "28 days",
        "Orders placed.",
        "bought often this month",
        "hardly bought this month",
        log=True,
    ),
    _orders(
        "monetary_28d",
        "money",
        "28 days",
        "Net spending.",
        "spent much this month",
        "spent little this month",
        log=True,
    ),
    _orders(
        "frequency_365d",
        "orders",
        "365 days",
        "Orders placed.",
        "bought often in a year",
        "bought rarely in a year",
        log=True,
    ),
    _orders(
        "monetary_365d",
        "money",
        "365 days",
        "Net spending.",
        "spent much in a year",
        "spent little in a year",
        log=True,
    ),
    _orders("frequency_all", "orders", "all", "Orders placed.", "many orders ever", "few orders ever", log=True),
    _orders("monetary_all", "money", "all", "Net spending.", "high value ever", "low value ever", log=True),
    _orders("tenure_days", "days", "all", "Days since the first order.", "long a customer", "new customer", log=True),
    _orders(
        "account_age_days",
        "days",
        "all",
        "Days since the account was opened, or since an earlier first order; null without customers table.",
        "old account",
        "new account",
        log=True,
    ),
    _orders(
        "average_order_value",
        "money",
        "365 days",
        "Mean amount paid per order.",
        "big baskets",
        "small baskets",
        log=True,
    ),
    _orders(
        "largest_order_value",
        "money",
        "365 days",
        "Largest amount paid for one order.",
        "has bought very big",
        "never bought big",
        log=True,
    ),
    _orders(
        "order_value_variation",
        "ratio",
        "365 days",
        "Standard deviation over mean of the amounts paid; null below two orders.",
        "baskets of very different size",
        "baskets of the same size",
        log=False,
    ),
    _orders(
        "gap_days_mean",
        "days",
        "365 days",
        "Mean gap between consecutive orders; null with one order.",
        "long pauses between orders",
        "short pauses between orders",
        log=True,
    ),
    _orders(
        "gap_days_variation",
        "ratio",
        "365 days",
        "Standard deviation over mean of the gaps; null below three orders.",
        "buys irregularly",
        "buys regularly",
        log=False,
    ),
    _orders(
        "gap_days_longest",
        "days",
        "365 days",
        "Longest gap between consecutive orders.",
        "was away for long",
        "never away for long",
        log=True,
    ),
    _orders(
        "overdue_ratio",
        "ratio",
        "365 days",
        "Days since the last order over the mean gap (at least a day); above 1 = later than usual.",
        "later than usual",
        "in rhythm",
        log=True,
    ),
    _orders(
        "active_weeks_91d",
        "weeks",
        "91 days",
        "Of the last 13 weeks those with an order.",
        "buys in most weeks",
        "buys in few weeks",
        log=False,
    ),
    _orders(
        "spend_trend_28d",
        "log ratio",
        "28 days against the 28 before",
        "log1p of net spending minus log1p of that of the 28 days before.",
        "spends more than before",
        "spends less than before",
        log=False,
    ),
    _orders(
        "orders_trend_28d",
        "log ratio",
        "28 days against the 28 before",
        "log1p of orders minus log1p of those of the 28 days before.",
        "buys more often than before",
        "buys less often than before",
        log=False,
    ),
    _orders(
        "frequency_previous_28d",
        "orders",
        "28 days before the last 28",
        "Orders placed.",
        "bought often last month",
        "hardly bought last month",
        log=True,
    ),
    _orders(
        "monetary_previous_28d",
        "money",
        "28 days before the last 28",
        "Net spending.",
        "spent much last month",
        "spent little last month",
        log=True,
    ),
    _orders(
        "frequency_last_year_28d",
        "orders",
        "the coming 28 days, 364 days earlier",
        "Orders placed then; null while the shop is younger.",
        "bought often this season last year",
        "hardly bought this season last year",
        log=True,
    ),
    _orders(
        "monetary_last_year_28d",
        "money",
        "the coming 28 days, 364 days earlier",
        "Net spending then; null while the shop is younger.",
        "spent much this season last year",
        "spent little this season last year",
        log=True,
    ),
    _orders(
        "discount_share",
        "share",
        "365 days",
        "Discounts over paid amounts plus discounts.",
        "hunts discounts",
        "pays full price",
        log=False,
    ),
    _orders(
        "discounted_orders_share",
        "share",
        "365 days",
        "Orders with any discount.",
        "nearly always some discount",
        "orders without discount",
        log=False,
    ),
    _orders(
        "coupon_share", "share", "365 days", "Orders with a coupon code.", "uses coupons", "uses no coupons", log=False
    ),
    _orders(
        "returns_share",
        "share",
        "365 days",
        "Orders given back, as known on the day.",
        "returns much",
        "returns nothing",
        log=False,
    ),
    _orders(
        "weekend_share",
        "share",
        "365 days",
        "Orders on Saturday or Sunday, local time.",
        "buys at weekends",
        "buys on weekdays",
        log=False,
    ),
    _orders(
        "morning_share",
        "share",
        "365 days",
        "Orders before 12:00 local time.",
        "buys in the morning",
        "buys after noon",
        log=False,
    ),
    _orders(
        "evening_share",
        "share",
        "365 days",
        "Orders from 18:00 local time.",
        "buys in the evening",
        "buys by day",
        log=False,
    ),
    _items(
        "items_per_order",
        "lines",
        "365 days",
        "Order lines per order that has lines (never quantities).",
        "many items per order",
        "few items per order",
        log=True,
    ),
    _items(
        "average_item_value", "money", "365 days", "Revenue per order line.", "expensive items", "cheap items", log=True
    ),
    _items(
        "distinct_categories",
        "categories",
        "365 days",
        "Different categories bought.",
        "buys across categories",
        "buys few categories",
        log=True,
    ),
    _items(
        "distinct_products",
        "products",
        "365 days",
        "Different products bought.",
        "wide choice of products",
        "narrow choice of products",
        log=True,
    ),
    _items(
        "top_category_share",
        "share",
        "365 days",
        "Share of spending in the first category.",
        "focused on one category",
        "mixed categories",
        log=False,
    ),
    _items(
        "repeat_product_share",
        "share",
        "365 days",
        "Order lines whose product was bought before.",
        "buys the same again",
        "tries new products",
        log=False,
    ),
    _items(
        "category_switch_share",
        "share",
        "365 days",
        "Orders whose main category differs from that of the order before.",
        "switches categories",
        "stays with a category",
        log=False,
    ),
    _events(
        "days_since_last_event",
        "days",
        "365 days",
        "Days since the last visit, response or redemption (a campaign sent is not the customer's doing).",
        "has not been seen for long",
        "seen lately",
        log=True,
    ),
    _events(
        "sessions_28d", "visits", "28 days", "Visits that started then.", "visits often", "visits rarely", log=True
    ),
    _events(
        "sessions_91d",
        "visits",
        "91 days",
        "Visits that started then.",
        "visited often in a quarter",
        "visited rarely in a quarter",
        log=True,
    ),
    _events(
        "sessions_trend_28d",
        "log ratio",
        "28 days against the 28 before",
        "log1p of visits minus log1p of those of the 28 days before.",
        "visits more than before",
        "visits less than before",
        log=False,
    ),
    _events("page_views_28d", "events", "28 days", "Pages seen.", "looks around much", "hardly looks around", log=True),
    _events(
        "page_views_91d", "events", "91 days", "Pages seen.", "looked around much", "hardly looked around", log=True
    ),
    _events(
        "product_views_28d",
        "events",
        "28 days",
        "Products looked at.",
        "views many products",
        "views few products",
        log=True,
    ),
    _events(
        "product_views_91d",
        "events",
        "91 days",
        "Products looked at.",
        "viewed many products",
        "viewed few products",
        log=True,
    ),
    _events("searches_28d", "events", "28 days", "Searches.", "searches much", "hardly searches", log=True),
    _events("searches_91d", "events", "91 days", "Searches.", "searched much", "hardly searched", log=True),
    _events("carts_28d", "events", "28 days", "Products put into the cart.", "fills carts", "fills no carts", log=True),
    _events(
        "carts_91d",
        "events",
        "91 days",
        "Products put into the cart.",
        "filled many carts",
        "filled few carts",
        log=True,
    ),
    _events(
        "cart_removals_28d",
        "events",
        "28 days",
        "Products taken out of the cart.",
        "empties carts",
        "keeps what is in the cart",
        log=True,
    ),
    _events(
        "cart_removals_91d",
        "events",
        "91 days",
        "Products taken out of the cart.",
        "emptied many carts",
        "kept what was in the cart",
        log=True,
    ),
    _events(
        "checkouts_28d", "events", "28 days", "Checkouts begun.", "checks out often", "checks out rarely", log=True
    ),
    _events(
        "checkouts_91d", "events", "91 days", "Checkouts begun.", "checked out often", "checked out rarely", log=True
    ),
    _events(
        "views_per_session",
        "events",
        "91 days",
        "Page and product views per visit.",
        "long visits",
        "short visits",
        log=True,
    ),
    _events(
        "minutes_per_session",
        "minutes",
        "91 days",
        "From first to last event of a visit, mean.",
        "stays long",
        "stays briefly",
        log=True,
    ),
    _events(
        "sessions_per_order",
        "visits",
        "91 days",
        "Visits per order; null without an order.",
        "browses long before buying",
        "buys on few visits",
        log=True,
    ),
    _events(
        "search_session_share",
        "share",
        "91 days",
        "Visits with a search.",
        "searches on purpose",
        "browses without searching",
        log=False,
    ),
    _events(
        "evening_session_share",
        "share",
        "91 days",
        "Visits that start from 18:00 local time.",
        "visits in the evening",
        "visits by day",
        log=False,
    ),
    _events(
        "views_per_cart",
        "events",
        "91 days",
        "Product views per product put into the cart.",
        "compares before choosing",
        "chooses at once",
        log=True,
    ),
    _events(
        "cart_removal_share",
        "ratio",
        "91 days",
        "Removals per product put into the cart.",
        "changes the cart",
        "sticks to the cart",
        log=False,
    ),
    _events(
        "campaigns_sent_91d",
        "messages",
        "91 days",
        "Campaign messages received.",
        "contacted often",
        "contacted rarely",
        log=True,
    ),
    _events(
        "campaigns_sent_365d",
        "messages",
        "365 days",
        "Campaign messages received.",
        "contacted often in a year",
        "contacted rarely in a year",
        log=True,
    ),
    _events(
        "campaign_open_share",
        "share",
        "365 days",
        "Messages opened per message received, at most 1.",
        "opens campaigns",
        "ignores campaigns",
        log=False,
    ),
    _events(
        "campaign_click_share",
        "share",
        "365 days",
        "Messages clicked per message received, at most 1.",
        "clicks campaigns",
        "does not click campaigns",
        log=False,
    ),
    _events(
        "coupons_redeemed_91d",
        "coupons",
        "91 days",
        "Coupons redeemed.",
        "redeems coupons",
        "redeems no coupons",
        log=True,
    ),
    _events(
        "coupons_redeemed_365d",
        "coupons",
        "365 days",
        "Coupons redeemed.",
        "redeemed many coupons",
        "redeemed few coupons",
        log=True,
    ),
    _paths(
        "campaign_order_share",
        "share",
        "365 days",
        "Orders within three days after a campaign was opened or clicked, or on the day of a coupon redemption.",
        "buys after campaigns",
        "buys without campaigns",
    ),
    _paths(
        "search_order_share",
        "share",
        "365 days",
        "Of orders placed in a visit, those after a search in it.",
        "buys after searching",
        "buys after browsing",
    ),
    _paths(
        "click_order_share",
        "share",
        "365 days",
        "Of orders placed in a visit, those after a campaign click in it.",
        "comes from campaigns to buy",
        "comes by themselves to buy",
    ),
    _paths(
        "app_order_share",
        "share",
        "365 days",
        "Of orders placed in a visit with a channel, those in the app.",
        "buys in the app",
        "buys on the web",
    ),
    _paths(
        "cart_abandonment",
        "share",
        "365 days",
        "Visits with a cart but no order in the visit.",
        "leaves carts behind",
        "finishes carts",
    ),
    _paths(
        "later_cart_share",
        "share",
        "365 days",
        "Of visits with a cart followed by an order (in the visit or seven days after), those bought later.",
        "buys carts on a later visit",
        "buys carts at once",
    ),
)

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
BY_NAME: dict[str, Feature] = {feature.name: feature for feature in FEATURES}
