"""What the encoder foresees: one head per kind of behaviour, with its loss weight and its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentation.catalog import EVENT_TYPES

Kind = Literal["chance", "log", "plain", "taste"]
Floats = npt.NDArray[np.float32]

#: How much one head counts in the training loss. This is the only place that says so. `chance` is a
#: cross-entropy in nats, the others are squared errors in units of the target's standard deviation, so
#: all are near 1 when nothing is foreseen. The heads of one kind share the kind's weight, lest a shop
#: with twenty categories or ten event types trains on little else.
LOSS_WEIGHTS: dict[str, float] = {"bought": 4.0, "money": 4.0, "habit": 2.0, "event": 2.0, "way": 2.0, "taste": 0.25}

#: Events that are no head: the shop sends campaigns, not the customer, and a purchase event is the order again.
NOT_FORESEEN = ("campaign_sent", "purchase")

#: Share of customers for whom a target must be known, and of those who must differ from the commonest
#: value, for a head to be worth training.
MINIMUM_SHARE = 0.01


#: How customers buy is grouped by, but softly: at full weight discounts and rhythm displace what a customer
#: is worth (0.03 of spend R² on Complete Journey), at this weight they cost nothing.
ORDER_HABIT_WEIGHT = 0.3


@dataclass(frozen=True)
class Head:
    """One kind of behaviour in the days after the cut-off.

    Attributes
    ----------
    name : str
        Name of the head; its outlook column is ``q_<name>``, or ``taste_<category>`` for taste.
    target : str
        Column of ``targets.parquet``, or the category of ``target_categories.parquet`` for taste.
    kind : str
        ``chance``: 0 or 1, the network gives log-odds. ``log``: log1p of an amount or count. ``plain``: as it
        is. ``taste``: share of spend in one category, 0 to 1.
    group : str
        Key of `LOSS_WEIGHTS`.
    high, low : str
        What a marketer says of a customer with a high or low value.
    weight : float
        What the head's outlook column is multiplied by before customers are grouped.
    manner : bool
        True: it says how a customer orders and visits, given that they do, and not how much.
    """

    name: str
    target: str
    kind: Kind
    group: str
    high: str
    low: str
    weight: float = 1.0
    manner: bool = False

    @property
    def column(self) -> str:
        """Name of the head's column in the outlook files."""
        return f"taste_{self.target}" if self.kind == "taste" else f"q_{self.name}"


_EVENT_WORDS = {
    "page_view": ("browses many pages", "browses few pages"),
    "product_view": ("looks at many products", "looks at few products"),
    "search": ("searches a lot", "hardly searches"),
    "add_to_cart": ("puts much in the cart", "puts little in the cart"),
    "remove_from_cart": ("takes much out of the cart again", "keeps what is in the cart"),
    "checkout": ("often goes to checkout", "seldom goes to checkout"),
    "campaign_open": ("opens campaigns", "leaves campaigns unopened"),
    "campaign_click": ("clicks on campaigns", "does not click on campaigns"),
    "coupon_redeemed": ("redeems coupons", "redeems no coupons"),
}


def _habit(name: str, kind: Kind, high: str, low: str, weight: float = 1.0, manner: bool = True) -> Head:
    return Head(name, name, kind, "habit", high, low, weight, manner)


def _way(name: str, high: str, low: str) -> Head:
    return Head(name, name, "plain", "way", high, low, manner=True)


BEHAVIOUR_HEADS: tuple[Head, ...] = (
    Head("bought", "bought", "chance", "bought", "will buy again soon", "unlikely to buy again soon"),
    Head("spend", "spend", "log", "money", "will spend much", "will spend little"),
    Head("orders", "orders", "log", "money", "will order often", "will order seldom"),
    _habit("sessions", "log", "visits often", "visits seldom", manner=False),
    _habit("views_per_session", "log", "long visits", "short visits"),
    _habit("sessions_per_order", "log", "many visits before an order", "orders at once"),
    _way("search_order_share", "searches in the visit that buys", "knows what to buy when visiting to buy"),
    _way("cart_order_share", "fills the cart in the visit that buys", "buys from a cart filled on an earlier visit"),
    _way("left_cart_share", "often leaves a filled cart", "seldom leaves a filled cart"),
    _way("removed_share", "takes much of it out of the cart again", "keeps what is in the cart"),
    _habit("campaign_order_share", "plain", "orders after campaigns", "orders unprompted", ORDER_HABIT_WEIGHT),
    _habit("discount_share", "plain", "buys at a discount", "pays full price", ORDER_HABIT_WEIGHT),
    _habit("returns_share", "plain", "returns much", "returns little", ORDER_HABIT_WEIGHT),
    _habit("gap_days_mean", "log", "long gaps between orders", "short gaps between orders", ORDER_HABIT_WEIGHT, False),
    _habit("gap_days_variation", "plain", "irregular rhythm", "regular rhythm", ORDER_HABIT_WEIGHT),
    *(
        # redeeming a coupon is a way of ordering, as a discount is
        Head(f"n_{event}", f"n_{event}", "log", "event", *_EVENT_WORDS[event], ORDER_HABIT_WEIGHT)
        if event == "coupon_redeemed"
        else Head(f"n_{event}", f"n_{event}", "log", "event", *_EVENT_WORDS[event])
        for event in EVENT_TYPES
        if event not in NOT_FORESEEN
    ),
)


#: Outlook columns that say how customers order and visit, given that they do.
MANNERS = tuple(head.column for head in BEHAVIOUR_HEADS if head.manner)


def taste_heads(categories: Sequence[str]) -> tuple[Head, ...]:
    """Return one head per category: the share of the customer's next spend that goes there."""
    return tuple(
        Head(f"taste_{name}", name, "taste", "taste", f"likes {name}", f"passes over {name}") for name in categories
    )


def raw_targets(heads: Sequence[Head], targets: pd.DataFrame, category_shares: npt.NDArray[np.float64]) -> Floats:
    """Return what really happened, head by head, on the scale that the head predicts.

    Parameters
    ----------
    heads : sequence of Head
        Length Q.
    targets : DataFrame
        Rows of ``targets.parquet``, B customers.
    category_shares : array of float, shape (B, C)
        Share of the future spend in each category, in the order of the taste heads; NaN where nothing was
        spent.

    Returns
    -------
    array of float32, shape (B, Q)
        NaN = undefined (a gap with a single order), which the loss leaves out. A negative amount, as when
        more was returned than bought, counts as 0.
    """
    columns, taste = [], 0
    for head in heads:
        if head.kind == "taste":
            columns.append(category_shares[:, taste])
            taste += 1
            continue
        values = pd.to_numeric(targets[head.target]).to_numpy(dtype=np.float64, na_value=np.nan)
        columns.append(np.log1p(np.maximum(values, 0.0)) if head.kind == "log" else values)
    return np.stack(columns, axis=1).astype(np.float32) if columns else np.zeros((len(targets), 0), np.float32)


def can_be_foreseen(values: Floats, share: float = MINIMUM_SHARE) -> bool:
    """Tell whether a target varies enough among customers to be worth a head.

    Parameters
    ----------
    values : array of float32, shape (B,)
        NaN = unknown.
    share : float
        Share of customers for whom it must be known, and of those who must differ from the commonest value.

    Examples
    --------
    >>> can_be_foreseen(np.array([0.0] * 50 + [1.0] * 50, np.float32))
    True
    >>> can_be_foreseen(np.zeros(100, np.float32)), can_be_foreseen(np.full(100, np.nan, np.float32))
    (False, False)
    """
    known = values[np.isfinite(values)]
    if len(known) < max(20, share * len(values)):
        return False
    commonest = int(np.unique(known, return_counts=True)[1].max())
    return len(known) - commonest >= max(5, share * len(known))


@dataclass(frozen=True)
class HeadScale:
    """The heads of one model with mean and spread of their targets on the training customers.

    Attributes
    ----------
    heads : tuple of Head
        Length Q.
    mean, sd : array of float32, shape (Q,)
        Kept with the model, so that an outlook means the same from night to night.
    """

    heads: tuple[Head, ...]
    mean: Floats
    sd: Floats

    @classmethod
    def fit(cls, candidates: Sequence[Head], targets: Floats) -> HeadScale:
        """Keep the heads whose target varies and measure mean and standard deviation.

        Parameters
        ----------
        candidates : sequence of Head
            Heads in the order of the columns.
        targets : array of float32, shape (B, Q)
            `raw_targets` of training customers.
        """
        kept = [q for q in range(len(candidates)) if can_be_foreseen(targets[:, q])]
        chosen = targets[:, kept].astype(np.float64)
        mean = np.nanmean(chosen, axis=0) if kept else np.zeros(0)
        sd = np.nanstd(chosen, axis=0) if kept else np.ones(0)
        return cls(tuple(candidates[q] for q in kept), mean.astype(np.float32), sd.astype(np.float32))

    def training_targets(self, targets: Floats) -> Floats:
        """Centre and scale targets (B, Q); a chance stays 0 or 1."""
        chance = np.array([head.kind == "chance" for head in self.heads])
        return np.where(chance, targets, (targets - self.mean) / self.sd).astype(np.float32)

    def natural(self, outputs: Floats) -> Floats:
        """Turn the network's outputs (B, Q) into probabilities, log amounts and shares."""
        chance = np.array([head.kind == "chance" for head in self.heads])
        odds = 1.0 / (1.0 + np.exp(-np.clip(outputs, -30, 30)))
        return np.where(chance, odds, outputs * self.sd + self.mean).astype(np.float32)

    def outlook(self, outputs: Floats) -> Floats:
        """Turn the network's outputs (B, Q) into units of the targets' standard deviation around their mean."""
        return ((self.natural(outputs) - self.mean) / self.sd).astype(np.float32)

    def loss_weights(self) -> Floats:
        """Return each head's share of the loss, shape (Q,), summing to 1."""
        members = {group: sum(head.group == group for head in self.heads) for group in LOSS_WEIGHTS}
        weights = np.array([LOSS_WEIGHTS[head.group] / members[head.group] for head in self.heads], np.float64)
        return (weights / weights.sum()).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return the scale as JSON-able content."""
        return {
            "heads": [asdict(head) for head in self.heads],
            "mean": [float(value) for value in self.mean],
            "sd": [float(value) for value in self.sd],
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> HeadScale:
        """Read what `to_dict` wrote."""
        return cls(
            tuple(Head(**head) for head in content["heads"]),
            np.array(content["mean"], np.float32),
            np.array(content["sd"], np.float32),
        )
