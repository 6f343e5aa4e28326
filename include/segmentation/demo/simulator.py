"""A shop simulator: fills every table and event type, with planted types of customers as ground truth.

No public data set has orders with amounts, clicks and campaign responses together, so this one is made up, roughly
to public figures: baskets and campaign rates as in Complete Journey, gamma-distributed purchase rates, late joiners
and silent leavers as in CDNOW, funnels as in common clickstream data (with more conversion, to stay compact).

How a customer buys: *cycles* (one purchase each) arrive at the customer's own rate; each follows one of four styles:

* ``one_go``: search, look, cart and purchase in one session,
* ``research``: a session of searching and looking, later a session that fills the cart and buys,
* ``cart_first``: a session of looking and filling the cart, later a session that searches again and buys,
* ``campaign``: from a campaign's click to the purchase, mostly with its coupon.

``research`` and ``cart_first`` hold the same events in the same numbers: only their order differs. Between cycles a
customer browses. A type (see `TYPES`) sets the means; every customer draws own rates and habits around them, so that
types overlap. The truth lies in schema `simulation` only, which the extract role cannot see.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, text

from segmentation.demo.customer_types import TYPE_COUNTS
from segmentation.demo.postgres import SOURCE_DATABASE, Server
from segmentation.demo.simulate_behaviour import (
    Clock,
    draw_cycles,
    draw_lines,
    draw_people,
    draw_products,
    draw_sessions,
)
from segmentation.demo.simulate_rows import CURRENCY, Shop, Taken, write_rows
from segmentation.demo.source import SHOP_TABLES, LoadReport, copy_frame, load_source
from segmentation.errors import InvalidSetting

__all__ = [
    "CURRENCY",
    "DEMO_DAYS",
    "FIRST_DAY",
    "LAST_DAY",
    "MAPPING",
    "TIMEZONE",
    "Shop",
    "load_simulated",
    "simulate",
    "simulate_blocks",
]

FIRST_DAY = date(2025, 1, 1)
LAST_DAY = date(2025, 12, 31)
MAPPING = Path(__file__).with_name("simulated_mapping.yml")
DEMO_DAYS = tuple(date(2025, 11, 10) + timedelta(days=offset) for offset in range(7))
TIMEZONE = "Europe/Berlin"


def simulate(
    customers: int,
    seed: int = 1,
    types: int = 5,
    first_day: date = FIRST_DAY,
    last_day: date = LAST_DAY,
    timezone: str = TIMEZONE,
) -> Shop:
    """Simulate a shop; the same arguments give the same rows.

    Parameters
    ----------
    customers : int
        Registered customers, at least 1.
    seed : int
        Seed of every draw.
    types : int
        Planted types: 1, 3, 5 or 8.
    first_day, last_day : date
        First and last business day with orders and events.
    timezone : str
        IANA name of the shop's timezone.

    Returns
    -------
    Shop
        All rows, each instant before the end of ``last_day``.

    Raises
    ------
    InvalidSetting
        If ``types`` is none of the four, there is no customer, or the period is empty.

    Examples
    --------
    >>> shop = simulate(50, first_day=date(2025, 3, 1), last_day=date(2025, 3, 31))
    >>> len(shop.customers), sorted(shop.truth.columns)
    (50, ['customer_id', 'type'])
    >>> simulate(50, types=4)
    Traceback (most recent call last):
    ...
    segmentation.errors.InvalidSetting: setting types is 4: choose one of 1, 3, 5, 8
    """
    return next(simulate_blocks(customers, max(customers, 1), seed, types, first_day, last_day, timezone))


def simulate_blocks(
    customers: int,
    block: int,
    seed: int = 1,
    types: int = 5,
    first_day: date = FIRST_DAY,
    last_day: date = LAST_DAY,
    timezone: str = TIMEZONE,
    pace: float = 1.0,
) -> Iterator[Shop]:
    """Simulate a shop that memory need not hold, some customers at a time; the same arguments give the same rows.

    Parameters
    ----------
    customers, seed, types, first_day, last_day, timezone
        As for `simulate`.
    block : int
        Customers at a time; only the last block has fewer.
    pace : float
        Times that customers buy and visit as often as usual.

    Yields
    ------
    Shop
        The rows of some customers, keys going on from block to block; the products are the same in every block.

    Raises
    ------
    InvalidSetting
        As `simulate` does.

    Examples
    --------
    >>> blocks = list(simulate_blocks(50, 20, first_day=date(2025, 3, 1), last_day=date(2025, 3, 31)))
    >>> [len(shop.customers) for shop in blocks], int(blocks[1].customers["customer_id"].min())
    ([20, 20, 10], 21)
    """
    if types not in TYPE_COUNTS:
        raise InvalidSetting("types", types, f"choose one of {', '.join(map(str, TYPE_COUNTS))}")
    if customers < 1:
        raise InvalidSetting("customers", customers, "choose at least 1")
    if last_day < first_day:
        raise InvalidSetting("last_day", last_day, f"must not be before first_day, {first_day}")
    clock = Clock(first_day, last_day, timezone)
    catalogue = draw_products(clock, _streams(seed, 0)[1])
    taken = Taken()
    for number, start in enumerate(range(0, customers, block)):
        streams = _streams(seed, number)
        people = draw_people(min(block, customers - start), types, clock, streams[0], pace)
        cycles = draw_cycles(people, clock, streams[2])
        lines = draw_lines(cycles, people, catalogue, streams[3])
        sessions = draw_sessions(cycles, lines, people, clock, streams[4])
        shop = write_rows(people, catalogue, cycles, lines, sessions, clock, streams[5], streams[6], taken)
        yield shop
        taken = Taken(
            taken.customers + len(shop.customers),
            taken.orders + len(shop.orders),
            taken.sessions + len(sessions.start),
            taken.events + len(shop.events),
        )


def _streams(seed: int, block: int) -> list[np.random.Generator]:
    """Return one stream of random numbers per part: a change in one part leaves the draws of the others alone."""
    root = np.random.SeedSequence((seed, block) if block else seed)
    return [np.random.default_rng(child) for child in root.spawn(7)]


def load_simulated(
    server: Server,
    customers: int = 5000,
    seed: int = 1,
    types: int = 5,
    first_day: date = FIRST_DAY,
    last_day: date = LAST_DAY,
    timezone: str = TIMEZONE,
    database: str = SOURCE_DATABASE,
) -> LoadReport:
    """Simulate a shop into a source database, once; the truth goes to ``simulation.customer_types``.

    Parameters
    ----------
    server : Server
        The running embedded server.
    customers, seed, types, first_day, last_day, timezone
        As for `simulate`.
    database : str
        Name of the source database.

    Returns
    -------
    LoadReport
        Rows per table; ``totals`` holds what customers paid.

    Raises
    ------
    InvalidSetting
        As `simulate` does.
    OtherShopLoaded
        If the database holds another shop, or this one with other parameters.
    """

    def fill(connection: Connection) -> tuple[dict[str, int], dict[str, str]]:
        shop = simulate(customers, seed, types, first_day, last_day, timezone)
        rows = {name: copy_frame(connection, f"shop.{name}", frame) for name, frame in shop.tables.items()}
        connection.execute(text("create schema simulation"))
        connection.execute(
            text("create table simulation.customer_types (customer_id bigint primary key, type text not null)")
        )
        copy_frame(connection, "simulation.customer_types", shop.truth)
        paid = connection.scalar(text("select coalesce(sum(total_amount), 0) from shop.orders"))
        return rows, {"amount_paid": f"{paid:.2f}"}

    content = {
        "shop": "simulated",
        "customers": customers,
        "seed": seed,
        "types": types,
        "first_day": first_day.isoformat(),
        "last_day": last_day.isoformat(),
        "timezone": timezone,
    }
    return load_source(server, database, content, SHOP_TABLES, fill)
