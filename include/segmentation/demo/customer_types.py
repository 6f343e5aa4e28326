"""The planted types of customers: what a simulated shop hides, and a segmentation may find."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Style(IntEnum):
    """How one purchase comes about; the simulator's docstring says what each is."""

    ONE_GO = 0
    RESEARCH = 1
    CART_FIRST = 2
    CAMPAIGN = 3


@dataclass(frozen=True)
class CustomerType:
    """One planted type: the means around which its customers draw their habits.

    Attributes
    ----------
    name, description
        What the truth table calls it, and what tells it apart.
    share
        Relative number of customers.
    styles
        Weights of the four purchase styles, in the order of `Style`.
    orders
        Purchases per 28 days.
    lines
        Order lines per purchase.
    visits
        Browsing sessions per 28 days that end without a purchase.
    views
        Product views per purchase cycle, beyond three.
    removals
        Products taken out of the cart again, per purchase.
    promotion_share
        Share of order lines bought on promotion.
    return_share
        Share of orders given back.
    open_rate
        Share of campaigns opened.
    regular
        True: purchases come at even distances instead of at random.
    """

    name: str
    description: str
    share: float
    styles: tuple[float, float, float, float]
    orders: float = 2.4
    lines: float = 2.2
    visits: float = 1.5
    views: float = 1.2
    removals: float = 0.4
    promotion_share: float = 0.25
    return_share: float = 0.03
    open_rate: float = 0.2
    regular: bool = False


#: The first n are planted when n types are asked for. The first three differ in the clickstream alone.
TYPES = (
    CustomerType(
        "planner", "searches and looks first, comes back to fill the cart and buy", 0.24, (0.08, 0.84, 0.05, 0.03)
    ),
    CustomerType(
        "cart_leaver",
        "fills the cart, leaves, comes back to buy: the planner's events in another order",
        0.22,
        (0.08, 0.05, 0.84, 0.03),
    ),
    CustomerType(
        "browser",
        "buys like the others but visits several times as often in between",
        0.20,
        (0.46, 0.26, 0.25, 0.03),
        visits=10.0,
    ),
    CustomerType(
        "coupon_follower",
        "opens campaigns, buys after a click, with the coupon",
        0.18,
        (0.1, 0.07, 0.07, 0.76),
        open_rate=0.65,
        promotion_share=0.3,
    ),
    CustomerType(
        "frequent_direct",
        "buys more often, less at a time, straight in one session",
        0.16,
        (0.9, 0.04, 0.03, 0.03),
        orders=6.0,
        lines=1.5,
        visits=1.0,
        views=0.6,
    ),
    CustomerType(
        "clockwork", "direct buyers like clockwork: same rate, even gaps", 0.14, (0.9, 0.04, 0.03, 0.03), regular=True
    ),
    CustomerType(
        "sender_back",
        "big baskets, nearly half of them given back",
        0.12,
        (0.52, 0.22, 0.22, 0.04),
        lines=4.5,
        return_share=0.45,
    ),
    CustomerType(
        "comparer",
        "searches, looks at much, puts in and takes out again",
        0.12,
        (0.44, 0.26, 0.26, 0.04),
        views=9.0,
        removals=4.0,
    ),
)
#: Numbers of types that can be planted; 1 = homogeneous customers, no structure to find.
TYPE_COUNTS = (1, 3, 5, 8)
