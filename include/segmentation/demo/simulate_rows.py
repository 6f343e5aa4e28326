"""The rows of a simulated shop: what its customers did, written down in the source's tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from segmentation.catalog import EVENT_TYPES
from segmentation.demo.customer_types import TYPES
from segmentation.demo.simulate_behaviour import (
    CATALOGUE,
    COUNTRIES,
    COUPON_PERCENT,
    Channel,
    Clock,
    Cycles,
    Ints,
    Lines,
    People,
    Products,
    Sessions,
    Slot,
    instants,
    positions,
)

CURRENCY = "EUR"

_LATE_SESSIONS = 0.015  # share of sessions whose events arrive hours to days late
_CANCELLED = 0.015  # share of orders
_CONSENTING = 0.8  # share of customers who may be written to
_REFUNDED = 0.2  # of orders given back, share refunded without the goods coming back

# what each of a session's events is called in the events table
_SLOT_EVENTS = (
    "campaign_click",
    "page_view",
    "search",
    "product_view",
    "add_to_cart",
    "remove_from_cart",
    "coupon_redeemed",
    "checkout",
    "purchase",
)
# where in the session: page views, searches and product views mix, and so do product views and adds
_SLOT_START = np.array([0.0, 1.0, 1.5, 1.5, 2.5, 4.0, 5.0, 6.0, 7.0])
_SLOT_SPREAD = np.array([0.0, 1.0, 0.8, 1.5, 1.0, 0.5, 0.0, 0.0, 0.0])
_CHANNEL_NAMES = ("app", "email", "web")


@dataclass(frozen=True)
class Taken:
    """How many keys of each kind are taken by rows that were written before."""

    customers: int = 0
    orders: int = 0
    sessions: int = 0
    events: int = 0


@dataclass(frozen=True)
class Shop:
    """A simulated shop: one frame per source table, columns as in the contract, and the truth.

    Attributes
    ----------
    customers, products, orders, order_items, events
        Rows of the source tables, sorted by key.
    truth
        Columns customer_id and type (a name in `TYPES`).
    """

    customers: pd.DataFrame
    products: pd.DataFrame
    orders: pd.DataFrame
    order_items: pd.DataFrame
    events: pd.DataFrame
    truth: pd.DataFrame

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The source tables by their contract name."""
        return {
            "customers": self.customers,
            "products": self.products,
            "orders": self.orders,
            "order_items": self.order_items,
            "events": self.events,
        }


def write_rows(
    people: People,
    products: Products,
    cycles: Cycles,
    lines: Lines,
    sessions: Sessions,
    clock: Clock,
    rng: np.random.Generator,
    consents: np.random.Generator,
    taken: Taken = Taken(),
) -> Shop:
    """Write down what was drawn; only what is left to chance in the writing is drawn here.

    ``rng`` draws lateness and returns, ``consents`` who may be written to; keys go on behind those ``taken``.
    """
    customers = len(people.kind)
    event = _unroll(sessions, clock, rng)
    product = _event_products(event, sessions, people, products, lines, rng)

    # an order is placed at the instant of its purchase event
    purchase = event.slot == Slot.PURCHASE
    placed = np.zeros(len(cycles.customer), np.int64)
    placed[sessions.cycle[event.session[purchase]]] = event.occurred[purchase]
    by_time = np.lexsort((cycles.customer, placed))
    order_number = np.empty(len(placed), np.int64)
    order_number[by_time] = np.arange(len(placed)) + 100_001 + taken.orders
    buyer = cycles.customer + 1 + taken.customers
    orders, items = _order_frames(people, products, cycles, lines, placed, order_number, buyer, clock, rng)

    # events of sessions, then the mails of campaigns
    known = sessions.logged_in[event.session]
    who = np.where(known, sessions.customer[event.session] + 1 + taken.customers, 0)
    late = rng.random(len(sessions.start)) < _LATE_SESSIONS
    delay = rng.uniform(2, 40, len(sessions.start))
    delay = np.where(late, 7_200 + np.minimum(rng.exponential(20 * 3_600.0, len(delay)), 9 * 86_400), delay)
    mails = sessions.mails
    mail_type = mails["event_type"].map({name: code for code, name in enumerate(EVENT_TYPES)}).to_numpy(np.int64)
    slot_type = np.array([EVENT_TYPES.index(name) for name in _SLOT_EVENTS])
    occurred = np.concatenate([event.occurred, mails["occurred"].to_numpy()])
    arrives = np.concatenate(
        [event.occurred + (delay[event.session] * 1e6).astype(np.int64), mails["occurred"] + 3_000_000]
    )
    loaded = np.maximum(occurred, np.minimum(arrives, clock.end - 1_000_000))
    codes, words = _properties(event, sessions, products, product, order_number)
    frame = pd.DataFrame(
        {
            "customer_id": pd.array(np.concatenate([who, mails["customer"] + 1 + taken.customers]), dtype="Int64"),
            "session_id": pd.Categorical.from_codes(
                np.concatenate([event.session, np.full(len(mails), -1)]),
                pd.Index([f"s{number:08d}" for number in range(taken.sessions, taken.sessions + len(sessions.start))]),
            ),
            "occurred_at": instants(occurred),
            "event_type": pd.Categorical.from_codes(
                np.concatenate([slot_type[event.slot], mail_type]), pd.Index(EVENT_TYPES)
            ),
            "product_id": pd.array(np.concatenate([product, np.full(len(mails), -1)]), dtype="Int64"),
            "channel": pd.Categorical.from_codes(
                np.concatenate([sessions.channel[event.session], np.full(len(mails), Channel.EMAIL)]),
                pd.Index(_CHANNEL_NAMES),
            ),
            "properties": pd.Categorical.from_codes(np.concatenate([codes, mails["campaign"]]), words),
            "loaded_at": instants(loaded),
        }
    )
    frame.loc[frame["customer_id"] == 0, "customer_id"] = pd.NA
    by_product = products.frame["product_id"].to_numpy()
    shown = frame["product_id"].to_numpy(np.int64)
    frame["product_id"] = pd.array(by_product[np.maximum(shown, 0)], dtype="Int64")
    frame.loc[shown < 0, "product_id"] = pd.NA
    frame = frame.iloc[np.argsort(occurred, kind="stable")].reset_index(drop=True)
    frame.insert(0, "event_id", np.arange(1, len(frame) + 1) + taken.events)

    first_seen = np.full(customers + 1, np.iinfo(np.int64).max)
    np.minimum.at(first_seen, sessions.customer[event.session], event.occurred)
    created = np.minimum(clock.utc(people.join * 86_400), first_seen[:-1] - 60_000_000)
    return Shop(
        customers=_customer_frame(people, created, taken.customers, clock, rng, consents),
        products=products.frame,
        orders=orders,
        order_items=items,
        events=frame,
        truth=pd.DataFrame(
            {
                "customer_id": np.arange(1, customers + 1) + taken.customers,
                "type": pd.Categorical.from_codes(people.kind, pd.Index([kind.name for kind in TYPES])),
            }
        ),
    )


@dataclass(frozen=True)
class _Events:
    """E events of sessions, sorted by session and time."""

    session: Ints
    slot: Ints
    place: Ints  # 0, 1, … among the session's events of the same slot
    occurred: Ints  # microseconds UTC


def _unroll(sessions: Sessions, clock: Clock, rng: np.random.Generator) -> _Events:
    """Turn counts per session into events with times."""
    flat = sessions.counts.ravel()
    cell = np.repeat(np.arange(len(flat)), flat)
    session, slot = cell // len(Slot), cell % len(Slot)
    place = positions(flat)
    within = np.argsort(session * 10.0 + _SLOT_START[slot] + _SLOT_SPREAD[slot] * rng.random(len(slot)), kind="stable")
    session, slot, place = session[within], slot[within], place[within]
    gap = ((4 + np.minimum(rng.exponential(35.0, len(session)), 900)) * 1e6).astype(np.int64)
    first = np.flatnonzero(np.diff(session, prepend=-1))
    gap[first] = 0
    passed = np.cumsum(gap)
    passed -= np.repeat(passed[first], np.diff(np.append(first, len(session))))
    # a session that would outlast the period begins earlier
    lasted = np.zeros(len(sessions.start), np.int64)
    np.maximum.at(lasted, session, passed)
    start = np.minimum(sessions.start, clock.end - 2_000_000 - lasted)
    return _Events(session, slot, place, start[session] + passed)


def _event_products(
    event: _Events, sessions: Sessions, people: People, products: Products, lines: Lines, rng: np.random.Generator
) -> Ints:
    """Return a product index per event, -1 where the event is about none."""
    cycle = sessions.cycle[event.session]
    line_start = np.cumsum(lines.per_cycle) - lines.per_cycle
    removed_start = np.cumsum(lines.removed_per_cycle) - lines.removed_per_cycle
    product = np.full(len(event.slot), -1)

    viewed = np.flatnonzero(event.slot == Slot.VIEW)
    product[viewed] = products.draw(sessions.customer[event.session[viewed]], people.tastes, rng)
    # most views on the way to a purchase are of what is bought
    towards = viewed[(cycle[viewed] >= 0) & (rng.random(len(viewed)) < 0.6)]
    any_line = (rng.random(len(towards)) * lines.per_cycle[cycle[towards]]).astype(np.int64)
    product[towards] = lines.product[line_start[cycle[towards]] + any_line]

    beyond = event.place - np.where(cycle >= 0, lines.per_cycle[cycle], 0)
    bought = np.flatnonzero((event.slot == Slot.ADD) & (beyond < 0))
    product[bought] = lines.product[line_start[cycle[bought]] + event.place[bought]]
    rejected = np.flatnonzero((event.slot == Slot.ADD) & (beyond >= 0))
    product[rejected] = lines.removed_product[removed_start[cycle[rejected]] + beyond[rejected]]
    removed = np.flatnonzero(event.slot == Slot.REMOVE)
    product[removed] = lines.removed_product[removed_start[cycle[removed]] + event.place[removed]]
    return product


def _properties(
    event: _Events, sessions: Sessions, products: Products, product: Ints, order_number: Ints
) -> tuple[Ints, pd.Index]:
    """Return a code per event and the texts: campaigns first, then search words, then order numbers."""
    campaigns = (
        max(
            int(sessions.campaign.max(initial=-1)), int(sessions.mails["campaign"].max() if len(sessions.mails) else -1)
        )
        + 1
    )
    words = sorted(sub for subs in CATALOGUE.values() for sub in subs)
    texts = [
        *(f'{{"campaign_id": {number + 1}}}' for number in range(campaigns)),
        *(f'{{"query": "{word}"}}' for word in words),
        *(f'{{"order_id": {number}}}' for number in order_number),
    ]
    code = np.full(len(event.slot), -1)
    of_campaign = (event.slot == Slot.CLICK) | (event.slot == Slot.COUPON)
    code[of_campaign] = sessions.campaign[event.session[of_campaign]]
    # a search is for what is seen next in the session, or for anything
    following = np.append(product[1:], -1)
    subcategory = products.frame["subcategory"].map({word: number for number, word in enumerate(words)}).to_numpy()
    search = event.slot == Slot.SEARCH
    sought = np.where(following >= 0, following, event.session % len(subcategory))
    code[search] = campaigns + subcategory[sought[search]]
    bought = event.slot == Slot.PURCHASE
    code[bought] = campaigns + len(words) + sessions.cycle[event.session[bought]]
    return code, pd.Index(texts)


def _order_frames(
    people: People,
    products: Products,
    cycles: Cycles,
    lines: Lines,
    placed: Ints,
    order_number: Ints,
    buyer: Ints,
    clock: Clock,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    count = len(placed)
    of_line = np.repeat(np.arange(count), lines.per_cycle)
    revenue = products.cents[lines.product] * lines.quantity - lines.discount

    fate = rng.random(count)
    given_back = fate < people.return_share[cycles.customer]
    cancelled = ~given_back & (rng.random(count) < _CANCELLED)
    status = np.where(cancelled, "cancelled", "completed")
    status[given_back] = np.where(rng.random(int(given_back.sum())) < _REFUNDED, "refunded", "returned")
    seconds = np.select(
        [given_back, cancelled],
        [
            (3 + np.minimum(rng.exponential(6, count), 27)) * 86_400,
            rng.uniform(0.5, 20, count) * 3_600,
        ],
        rng.uniform(0, 1_800, count),
    )
    updated = placed + (seconds * 1e6).astype(np.int64)
    # what would happen after the last day has not happened yet
    pending = (given_back | cancelled) & (updated >= clock.end)
    status[pending] = "completed"
    updated = np.where(pending, placed, np.minimum(updated, clock.end - 1_000_000))
    codes = np.where(lines.redeemed, cycles.campaign, -1)
    orders = pd.DataFrame(
        {
            "order_id": order_number,
            "customer_id": buyer,
            "ordered_at": instants(placed),
            "status": status,
            "currency": CURRENCY,
            "total_amount": np.bincount(of_line, revenue, count).round() / 100,
            "discount_amount": np.bincount(of_line, lines.discount, count).round() / 100,
            "coupon_code": pd.Categorical.from_codes(
                codes, pd.Index([f"SAVE{COUPON_PERCENT}-{number + 1:02d}" for number in range(len(cycles.sent))])
            ),
            "updated_at": instants(updated),
        }
    ).sort_values("order_id", ignore_index=True)
    items = pd.DataFrame(
        {
            "order_id": order_number[of_line],
            "line_no": positions(lines.per_cycle) + 1,
            "product_id": products.frame["product_id"].to_numpy()[lines.product],
            "quantity": lines.quantity,
            "unit_price": products.cents[lines.product] / 100,
            "discount_amount": lines.discount / 100,
        }
    ).sort_values(["order_id", "line_no"], ignore_index=True)
    return orders, items


def _customer_frame(
    people: People,
    created: Ints,
    taken: int,
    clock: Clock,
    rng: np.random.Generator,
    consents: np.random.Generator,
) -> pd.DataFrame:
    customers = len(created)
    # some change their address or consent at some time
    changed = created + (rng.random(customers) * np.maximum(clock.end - created, 0)).astype(np.int64)
    numbers = np.arange(1, customers + 1) + taken
    return pd.DataFrame(
        {
            "customer_id": numbers,
            "created_at": instants(created),
            "email": [f"customer{number}@example.org" for number in numbers],
            "country": pd.Categorical.from_codes(people.country, pd.Index([name for name, _ in COUNTRIES])),
            "birth_year": people.birth_year,
            "updated_at": instants(np.where(rng.random(customers) < 0.15, changed, created)),
            "marketing_consent": consents.random(customers) < _CONSENTING,
        }
    )
