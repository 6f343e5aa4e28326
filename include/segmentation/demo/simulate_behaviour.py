"""What the customers of a simulated shop do: arrivals, purchases, visits and campaigns, as arrays.

Letters: N customers, C purchase cycles, S sessions. Draws are in local seconds since the first day's midnight, so that
habits follow the shop's clock; `simulate_rows` turns them into rows in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import IntEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segmentation.calendar import shop_timezone
from segmentation.demo.customer_types import TYPES, Style

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_RATE_SHAPE = 4.0  # of the gamma law of purchase rates
_HABIT_SHAPE = 12.0  # of the gamma law of a customer's other rates around the type's
_STYLE_CONCENTRATION = 40.0  # of the Dirichlet law of a customer's own mix of styles
_EARLIER_CUSTOMERS = 0.6  # share who joined before the first day
_FIRST_PURCHASE = 0.75  # share of joiners who buy on the day they join
_LIFETIME_DAYS = 2000.0  # mean, until a customer leaves silently
_CAMPAIGN_EVERY_DAYS = 13  # 27 campaigns a year
_CLICK_RATE = 0.25  # of opened campaigns, beyond those that lead to a purchase
_REDEEM_RATE = 0.7  # of campaign purchases
COUPON_PERCENT = 15
_LOGGED_OUT = 0.08  # share of browsing sessions whose customer is unknown
_STRANGERS = 0.25  # sessions of strangers per browsing session of a customer

_HOUR_WEIGHTS = np.array([2, 1, 0, 0, 0, 1, 3, 6, 9, 11, 12, 12, 13, 12, 11, 11, 12, 14, 17, 20, 22, 19, 12, 5], float)
_WEEKDAY_WEIGHTS = np.array([0.95, 0.9, 0.95, 1.0, 1.1, 1.15, 0.95])  # Monday first
_MONTH_WEIGHTS = np.array([0.92, 0.95, 1.0, 1.0, 1.0, 0.98, 0.93, 0.95, 1.0, 1.03, 1.1, 1.14])
COUNTRIES = (("DE", 0.78), ("AT", 0.14), ("CH", 0.08))

CATALOGUE = {
    "bakery": ("bread", "cake", "rolls"),
    "beverages": ("coffee", "juice", "tea"),
    "books": ("fiction", "cooking", "children"),
    "cleaning": ("laundry", "kitchen", "bath"),
    "cosmetics": ("skin", "hair", "make-up"),
    "dairy": ("cheese", "milk", "yoghurt"),
    "garden": ("seeds", "tools", "pots"),
    "household": ("storage", "lighting", "textiles"),
    "pantry": ("pasta", "sauces", "spices"),
    "pets": ("cat", "dog", "bird"),
    "produce": ("fruit", "vegetables", "herbs"),
    "snacks": ("chocolate", "nuts", "crisps"),
}
_PRODUCTS_PER_SUBCATEGORY = 9
_BRANDS = ("Alder", "Birch", "Cedar", "Elm", "Fir", "own brand")


class Slot(IntEnum):
    """A session's events, in the order in which a session holds them."""

    CLICK = 0
    PAGE = 1
    SEARCH = 2
    VIEW = 3
    ADD = 4
    REMOVE = 5
    COUPON = 6
    CHECKOUT = 7
    PURCHASE = 8


class Channel(IntEnum):
    """Where a session comes from."""

    APP = 0
    EMAIL = 1
    WEB = 2


@dataclass(frozen=True)
class Clock:
    """The simulated period. Draws are in local seconds since the first day's midnight; rows are in UTC."""

    first_day: date
    last_day: date
    timezone: str

    @property
    def days(self) -> int:
        """Days of the period."""
        return (self.last_day - self.first_day).days + 1

    @property
    def seconds(self) -> float:
        """Local seconds of the period."""
        return self.days * 86_400.0

    @property
    def end(self) -> int:
        """End of the last day, microseconds UTC."""
        zone = shop_timezone(self.timezone)
        instant = datetime.combine(self.last_day + timedelta(days=1), time.min, tzinfo=zone)
        return int(instant.timestamp()) * 1_000_000

    def utc(self, local_seconds: Floats) -> Ints:
        """Turn local seconds into microseconds UTC; an hour that the clocks skip moves forward."""
        start = np.datetime64(self.first_day, "us")
        local = pd.DatetimeIndex(start + (local_seconds * 1e6).astype("timedelta64[us]"))
        instants = local.tz_localize(self.timezone, ambiguous=np.zeros(len(local), bool), nonexistent="shift_forward")
        return instants.tz_convert("UTC").tz_localize(None).as_unit("us").asi8.astype(np.int64)

    def day_weights(self) -> Floats:
        """Return how busy each day is, at most 1."""
        days = pd.date_range(self.first_day, self.last_day)
        weights = _WEEKDAY_WEIGHTS[days.dayofweek] * _MONTH_WEIGHTS[days.month - 1]
        return np.asarray(weights / (_WEEKDAY_WEIGHTS.max() * _MONTH_WEIGHTS.max()))


@dataclass(frozen=True)
class People:
    """N customers: their type, their span in days since the first midnight, and their own means."""

    kind: Ints  # index into TYPES
    join: Floats
    leave: Floats
    orders_per_day: Floats
    lines: Floats
    visits_per_day: Floats
    views: Floats
    removals: Floats
    promotion_share: Floats
    return_share: Floats
    open_rate: Floats
    audience_rate: Floats
    app_share: Floats
    styles: Floats  # (N, 4) cumulated
    tastes: Floats  # (N + 1, categories) cumulated; the last row is a stranger's
    country: Ints
    birth_year: Ints

    def alive(self, days: int) -> tuple[Floats, Floats]:
        """Return the first and last instant at which each customer is active in the period, in days."""
        start = np.clip(self.join, 0, days)
        return start, np.clip(self.leave, start, days)


@dataclass(frozen=True)
class Products:
    """The assortment; products of a category lie together."""

    frame: pd.DataFrame
    cents: Ints
    per_category: int

    def draw(self, customer: Ints, tastes: Floats, rng: np.random.Generator) -> Ints:
        """Draw a product index for each customer index, by taste and by the products' popularity."""
        category = (rng.random(len(customer))[:, None] > tastes[customer]).sum(axis=1)
        rank = (self.per_category * rng.random(len(customer)) ** 1.7).astype(np.int64)
        return category * self.per_category + rank


@dataclass(frozen=True)
class Cycles:
    """C purchase cycles, sorted by customer and time (local seconds of the buying session)."""

    customer: Ints
    time: Floats
    style: Ints
    campaign: Ints  # index, -1 = none
    first_response: Bools  # the customer's first purchase after this campaign
    sent: Floats  # local seconds at which each campaign is sent
    audience: Bools  # (N, campaigns)


@dataclass(frozen=True)
class Lines:
    """The order lines of all cycles, and what was put into the cart and taken out again."""

    per_cycle: Ints
    product: Ints
    quantity: Ints
    discount: Ints  # cents
    removed_per_cycle: Ints
    removed_product: Ints
    redeemed: Bools  # per cycle


@dataclass(frozen=True)
class Sessions:
    """S sessions, sorted by start; counts are (S, slots)."""

    customer: Ints  # N = a stranger
    cycle: Ints  # -1 = none
    start: Ints  # microseconds UTC
    counts: Ints
    channel: Ints
    campaign: Ints
    logged_in: Bools
    mails: pd.DataFrame  # campaign_sent and campaign_open: customer, campaign, event_type, occurred


def draw_people(customers: int, types: int, clock: Clock, rng: np.random.Generator, pace: float = 1.0) -> People:
    """Draw N customers around the means of the first ``types`` planted types; of one type, all are alike and stay.

    They buy and visit ``pace`` times as often as the types say.
    """
    planted = TYPES[:types]
    shares = np.array([kind.share for kind in planted])
    kind = rng.choice(types, size=customers, p=shares / shares.sum())

    def mean(attribute: str) -> Floats:
        return np.array([getattr(one, attribute) for one in planted], float)[kind]

    alike = types == 1

    def own(attribute: str, shape: float = _HABIT_SHAPE) -> Floats:
        drawn = rng.gamma(shape, 1 / shape, customers)
        return mean(attribute) * (1.0 if alike else drawn)

    def own_share(attribute: str) -> Floats:
        drawn = rng.beta(8 * mean(attribute), 8 * (1 - mean(attribute)))
        return mean(attribute) if alike else drawn

    earlier = rng.random(customers) < _EARLIER_CUSTOMERS
    join = np.where(earlier, -rng.uniform(0, 730, customers), rng.uniform(0, clock.days, customers))
    weights = np.array([one.styles for one in planted])[kind] * _STYLE_CONCENTRATION
    mix = weights if alike else rng.standard_gamma(weights)
    categories = len(CATALOGUE)
    tastes = rng.standard_gamma(0.6, (customers, categories))
    tastes = np.vstack([tastes / tastes.sum(axis=1, keepdims=True), np.full(categories, 1 / categories)])
    open_rate = own_share("open_rate")
    return People(
        kind=kind,
        join=join,
        leave=np.maximum(join, 0) + (np.inf if alike else rng.exponential(_LIFETIME_DAYS, customers)),
        orders_per_day=pace * own("orders", _RATE_SHAPE) / 28,
        lines=own("lines"),
        visits_per_day=pace * own("visits") / 28,
        views=own("views"),
        removals=own("removals"),
        promotion_share=own_share("promotion_share"),
        return_share=own_share("return_share"),
        open_rate=open_rate,
        audience_rate=np.clip(0.25 + 0.9 * mean("open_rate"), 0, 0.9),
        app_share=np.full(customers, 0.4) if alike else rng.beta(2, 3, customers),
        styles=np.cumsum(mix / mix.sum(axis=1, keepdims=True), axis=1)[:, :-1],
        tastes=np.cumsum(tastes, axis=1)[:, :-1],
        country=rng.choice(len(COUNTRIES), size=customers, p=[share for _, share in COUNTRIES]),
        birth_year=rng.integers(1945, 2006, customers),
    )


def draw_products(clock: Clock, rng: np.random.Generator) -> Products:
    """Draw the assortment: names are fixed, prices and brands are not."""
    names = [(category, sub) for category, subs in CATALOGUE.items() for sub in subs]
    count = len(names) * _PRODUCTS_PER_SUBCATEGORY
    # prices end in 9 cents; the median price is about 6
    cents = 10 * rng.lognormal(np.log(105), 0.6, count).round().clip(5, 500).astype(np.int64) + 9
    listed = clock.utc(-86_400.0 * rng.uniform(1, 400, count))
    frame = pd.DataFrame(
        {
            "product_id": np.arange(1, count + 1) + 1000,
            "category": np.repeat([category for category, _ in names], _PRODUCTS_PER_SUBCATEGORY),
            "subcategory": np.repeat([sub for _, sub in names], _PRODUCTS_PER_SUBCATEGORY),
            "brand": rng.choice(_BRANDS, size=count),
            "list_price": cents / 100,
            "updated_at": instants(listed),
        }
    )
    return Products(frame, cents, count // len(CATALOGUE))


def draw_cycles(people: People, clock: Clock, rng: np.random.Generator) -> Cycles:
    """Draw when each customer sets out to buy, in which style, and after which campaign."""
    customers = len(people.kind)
    start, stop = people.alive(clock.days)
    regular = np.array([kind.regular for kind in TYPES])[people.kind]
    customer, days = _arrivals(np.where(regular, 0, people.orders_per_day), start, stop, clock, rng)

    # even gaps: a lattice of the customer's own width and phase, slightly shaken
    even = np.flatnonzero(regular)
    gap = 1 / people.orders_per_day[even]
    ticks = np.minimum((stop[even] - start[even]) / gap, 2 * clock.days).astype(np.int64)
    tick = np.repeat(even, ticks)
    place = positions(ticks) + np.repeat(rng.random(len(even)), ticks) + rng.normal(0, 0.08, len(tick))
    customer = np.concatenate([customer, tick])
    days = np.concatenate([days, np.clip(start[tick] + place * np.repeat(gap, ticks), start[tick], stop[tick])])

    # most of those who join in the period do so to buy something
    joiners = np.flatnonzero((people.join >= 0) & (rng.random(customers) < _FIRST_PURCHASE))
    customer = np.concatenate([customer, joiners])
    days = np.minimum(np.concatenate([days, people.join[joiners]]), clock.days - 1e-9)
    when = np.floor(days) * 86_400 + _time_of_day(len(days), rng)
    order = np.lexsort((when, customer))
    customer, when = customer[order], when[order]
    style = (rng.random(len(customer))[:, None] > people.styles[customer]).sum(axis=1)

    sent = np.arange(2, clock.days, _CAMPAIGN_EVERY_DAYS, dtype=np.float64) * 86_400 + 9 * 3_600
    audience = rng.random((customers, len(sent))) < people.audience_rate[:, None]
    audience &= people.join[:, None] * 86_400 < sent[None, :]
    newest = np.searchsorted(sent, when) - 1
    reached = newest >= 0
    reached[reached] = audience[customer[reached], newest[reached]]
    style = np.where((style == Style.CAMPAIGN) & ~reached, Style.ONE_GO, style)
    campaign = np.where(style == Style.CAMPAIGN, newest, -1)
    responding = np.flatnonzero(campaign >= 0)
    when[responding] = np.maximum(when[responding], sent[campaign[responding]] + 900)
    first_response = np.zeros(len(customer), bool)
    _, first = np.unique(customer[responding] * (len(sent) + 1) + campaign[responding], return_index=True)
    first_response[responding[first]] = True
    return Cycles(customer, when, style, campaign, first_response, sent, audience)


def draw_lines(cycles: Cycles, people: People, products: Products, rng: np.random.Generator) -> Lines:
    """Draw what is bought in each cycle, at which discount, and what is put back."""
    count = len(cycles.customer)
    mean = np.maximum(people.lines[cycles.customer] - 1, 0.2) * rng.gamma(2.0, 0.5, count)
    per_cycle = 1 + np.minimum(rng.poisson(mean), 40)
    buyer = np.repeat(cycles.customer, per_cycle)
    product = products.draw(buyer, people.tastes, rng)
    quantity = np.minimum(rng.geometric(0.8, len(buyer)), 9)
    percent = np.where(
        rng.random(len(buyer)) < people.promotion_share[buyer], rng.choice([10, 15, 20, 25, 30], size=len(buyer)), 0
    )
    redeemed = cycles.first_response & (rng.random(count) < _REDEEM_RATE)
    percent = percent + COUPON_PERCENT * np.repeat(redeemed, per_cycle)
    discount = (products.cents[product] * quantity * percent + 50) // 100
    removed_per_cycle = np.minimum(rng.poisson(people.removals[cycles.customer]), 20)
    removed = products.draw(np.repeat(cycles.customer, removed_per_cycle), people.tastes, rng)
    return Lines(per_cycle, product, quantity, discount, removed_per_cycle, removed, redeemed)


def draw_sessions(cycles: Cycles, lines: Lines, people: People, clock: Clock, rng: np.random.Generator) -> Sessions:
    """Lay the cycles out as sessions, and add visits, strangers and campaigns."""
    customers, count = len(people.kind), len(cycles.customer)
    style = cycles.style
    searches = 1 + rng.poisson(0.4, count)
    views = 3 + rng.poisson(people.views[cycles.customer])
    put_in = lines.per_cycle + lines.removed_per_cycle
    single = (style == Style.ONE_GO) | (style == Style.CAMPAIGN)

    # the session that buys, and for the two-session styles the one before it
    buying = np.zeros((count, len(Slot)), np.int64)
    buying[:, Slot.CLICK] = style == Style.CAMPAIGN
    buying[:, Slot.PAGE] = np.where(single, 2, 1)
    buying[:, Slot.SEARCH] = np.where((style == Style.ONE_GO) | (style == Style.CART_FIRST), searches, 0)
    buying[:, Slot.VIEW] = np.where(single, views + 1, 1)
    buying[:, Slot.ADD] = np.where(style == Style.CART_FIRST, 0, put_in)
    buying[:, Slot.REMOVE] = np.where(style == Style.CART_FIRST, 0, lines.removed_per_cycle)
    buying[:, Slot.COUPON] = lines.redeemed
    buying[:, [Slot.CHECKOUT, Slot.PURCHASE]] = 1
    before = np.flatnonzero(~single)
    earlier = np.zeros((len(before), len(Slot)), np.int64)
    earlier[:, Slot.PAGE] = 1
    earlier[:, Slot.SEARCH] = np.where(style[before] == Style.RESEARCH, searches[before], 0)
    earlier[:, Slot.VIEW] = views[before]
    earlier[:, Slot.ADD] = np.where(style[before] == Style.CART_FIRST, put_in[before], 0)
    earlier[:, Slot.REMOVE] = np.where(style[before] == Style.CART_FIRST, lines.removed_per_cycle[before], 0)
    lead = 5_400 + np.minimum(rng.exponential(20 * 3_600.0, len(before)), 4 * 86_400)
    # not before the first day
    lead = np.where(lead < cycles.time[before], lead, cycles.time[before] * rng.random(len(before)))

    # visits that end without a purchase, of customers and of strangers
    start, stop = people.alive(clock.days)
    visitor, visited = _arrivals(people.visits_per_day, start, stop, clock, rng)
    strangers = rng.poisson(_STRANGERS * (len(visitor) + 1))
    visitor = np.concatenate([visitor, np.full(strangers, customers)])
    visited = np.floor(np.concatenate([visited, rng.uniform(0, clock.days, strangers)]))
    visits = np.zeros((len(visitor), len(Slot)), np.int64)
    visits[:, Slot.PAGE] = 1 + rng.poisson(0.5, len(visitor))
    visits[:, Slot.SEARCH] = rng.random(len(visitor)) < 0.35
    visits[:, Slot.VIEW] = 1 + rng.poisson(2.0, len(visitor))

    # campaigns: sent, opened, clicked
    target, campaign = np.nonzero(cycles.audience)
    sent = cycles.sent[campaign]
    opened = sent + 60 + rng.exponential(8 * 3_600.0, len(sent))
    opens = rng.random(len(sent)) < people.open_rate[target]
    # who buys after a campaign has opened it, and not after the purchase
    answered = np.full(cycles.audience.shape, np.inf)
    answering = np.flatnonzero(cycles.first_response)
    answered[cycles.customer[answering], cycles.campaign[answering]] = cycles.time[answering]
    response = answered[target, campaign]
    opens |= np.isfinite(response)
    opened = np.minimum(opened, response - 120)
    opens &= (np.minimum(people.leave[target], clock.days) * 86_400 > opened) | np.isfinite(response)
    opens &= opened < clock.seconds - 60
    clicks = np.flatnonzero(opens & ~np.isfinite(response) & (rng.random(len(sent)) < _CLICK_RATE))
    clicked = np.zeros((len(clicks), len(Slot)), np.int64)
    clicked[:, [Slot.CLICK, Slot.PAGE]] = 1
    clicked[:, Slot.VIEW] = 1 + rng.poisson(1.0, len(clicks))
    mails = pd.DataFrame(
        {
            "customer": np.concatenate([target, target[opens]]),
            "campaign": np.concatenate([campaign, campaign[opens]]),
            "event_type": np.repeat(["campaign_sent", "campaign_open"], [len(sent), int(opens.sum())]),
            "occurred": clock.utc(np.concatenate([sent, opened[opens]])),
        }
    )

    none = np.full
    customer = np.concatenate([cycles.customer, cycles.customer[before], visitor, target[clicks]])
    local = np.concatenate(
        [
            cycles.time,
            cycles.time[before] - lead,
            visited * 86_400 + _time_of_day(len(visitor), rng),
            opened[clicks] + 20,
        ]
    )
    cycle = np.concatenate([np.arange(count), before, none(len(visitor) + len(clicks), -1)])
    visit = np.repeat([False, True, False], [count + len(before), len(visitor), len(clicks)])
    reached = np.concatenate([cycles.campaign, none(len(before) + len(visitor), -1), campaign[clicks]])
    app = rng.random(len(customer)) < np.append(people.app_share, 0.3)[customer]
    counts = np.concatenate([buying, earlier, visits, clicked])
    logged_in = (customer < customers) & ~(visit & (rng.random(len(customer)) < _LOGGED_OUT))
    begun = clock.utc(local)
    order = np.argsort(begun, kind="stable")
    channel = np.where(counts[:, Slot.CLICK] > 0, Channel.EMAIL, np.where(app, Channel.APP, Channel.WEB))
    return Sessions(
        customer[order],
        cycle[order],
        begun[order],
        counts[order],
        channel[order],
        reached[order],
        logged_in[order],
        mails,
    )


def _arrivals(
    per_day: Floats, start: Floats, stop: Floats, clock: Clock, rng: np.random.Generator
) -> tuple[Ints, Floats]:
    """Draw Poisson arrivals of each customer between start and stop (days); busy days get more."""
    weights = clock.day_weights()
    counts = rng.poisson(per_day * (stop - start) / weights.mean())
    customer = np.repeat(np.arange(len(per_day)), counts)
    when = start[customer] + rng.random(len(customer)) * (stop - start)[customer]
    kept = rng.random(len(when)) < weights[np.minimum(when.astype(np.int64), clock.days - 1)]
    return customer[kept], when[kept]


def _time_of_day(count: int, rng: np.random.Generator) -> Floats:
    """Draw seconds since midnight: quiet nights, busy evenings."""
    hour = rng.choice(24, size=count, p=_HOUR_WEIGHTS / _HOUR_WEIGHTS.sum())
    return hour * 3_600 + rng.uniform(0, 3_600, count)


def positions(counts: Ints) -> Ints:
    """Count up within consecutive groups.

    Examples
    --------
    >>> positions(np.array([2, 0, 3]))
    array([0, 1, 0, 1, 2])
    """
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def instants(microseconds: Ints) -> pd.DatetimeIndex:
    """Turn microseconds UTC into timestamps."""
    return pd.DatetimeIndex(microseconds.astype("datetime64[us]")).tz_localize("UTC")
