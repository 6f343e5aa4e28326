"""`segmentation bench switch`: customers who change their ways on a known day, and how soon their label says so."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from segmentation.bench.planted import lay
from segmentation.bench.replay import run_again, segments_of
from segmentation.calendar import day_interval
from segmentation.catalog import CUSTOMERS, EVENTS, ORDER_ITEMS, ORDERS
from segmentation.config import Settings
from segmentation.demo.simulator import DEMO_DAYS, FIRST_DAY, TIMEZONE, Shop, simulate
from segmentation.errors import InvalidSetting
from segmentation.extract.contract import TIME_COLUMNS

log = logging.getLogger(__name__)

#: The last night before the switch; those who switch do so with the next midnight.
LAST_DAY_BEFORE = DEMO_DAYS[-1]
COLUMNS = ("night", "active", "left", "arrived", "arrived_active", "others_moved")


def switched_shop(shop: Shop, origin: str, target: str, share: float, day: date, seed: int) -> tuple[Shop, list[str]]:
    """Let some customers of one type go on, from a day, as customers of another type do.

    Each takes over the rows of a customer of the other type from that day on, who is then no customer of the shop:
    the simulator's own draws, so nobody's behaviour is made up twice.

    Parameters
    ----------
    shop : Shop
        From `simulate`.
    origin, target : str
        Names of types, see `TYPES`.
    share : float
        Share, 0 to 1, of the customers of ``origin`` who switch; fewer if ``target`` has not so many.
    day : date
        First business day of the new ways.
    seed : int
        Seed of who switches.

    Returns
    -------
    Shop
        Without the customers whose rows were taken over.
    list of str
        Ids of those who switched.

    Raises
    ------
    InvalidSetting
        If the shop has no customers of one of the types.
    """
    truth = shop.truth.astype({"type": str})
    of_type = {str(name): ids.to_numpy() for name, ids in truth.groupby("type")["customer_id"]}
    for setting, name in (("origin", origin), ("target", target)):
        if name not in of_type:
            raise InvalidSetting(setting, name, f"choose one of {', '.join(of_type)}")
    generator = np.random.default_rng(seed)
    count = min(round(share * len(of_type[origin])), len(of_type[target]) // 2)
    switching = generator.choice(of_type[origin], count, replace=False)
    given_up = generator.choice(of_type[target], count, replace=False)
    heirs = dict(zip(given_up.tolist(), switching.tolist(), strict=True))
    midnight = pd.Timestamp(day_interval(day, TIMEZONE).start)

    tables = dict(shop.tables)
    for table in (ORDERS, EVENTS):
        rows = tables[table]
        later = rows[TIME_COLUMNS[table]] >= midnight
        dropped = (rows["customer_id"].isin(switching) & later) | (rows["customer_id"].isin(given_up) & ~later)
        kept = rows[~dropped].copy()
        kept["customer_id"] = kept["customer_id"].replace(heirs)
        tables[table] = kept
    items = tables[ORDER_ITEMS]
    tables[ORDER_ITEMS] = items[items["order_id"].isin(tables[ORDERS]["order_id"])]
    tables[CUSTOMERS] = tables[CUSTOMERS][~tables[CUSTOMERS]["customer_id"].isin(given_up)]
    changed = replace(shop, **tables, truth=truth[~truth["customer_id"].isin(given_up)])
    return changed, [str(customer) for customer in switching]


def follow_switch(
    settings: Settings,
    customers: int,
    origin: str,
    target: str,
    share: float,
    nights: int,
    every: int,
    seed: int,
) -> pd.DataFrame:
    """Run nights after some customers switched, each fine-tuned from the one before, and tell who is where.

    Parameters
    ----------
    settings : Settings
        All but home and timezone are used.
    customers : int
        Of the simulated shop, of five types.
    origin, target, share
        As for `switched_shop`.
    nights : int
        Nights after the switch.
    every : int
        1 = all of them are run; 7 = one a week is, as if the others had failed.
    seed : int
        Seed of the shop.

    Returns
    -------
    DataFrame
        One row per night, `COLUMNS`: ``night`` (1 = the first after the switch); then shares of those who switched
        and had, before it, the segment that most of ``origin`` have: ``active`` (did anything since), ``left`` (that
        segment), ``arrived`` (in the one that most of ``target`` have), ``arrived_active`` (the same, of the active
        ones); and ``others_moved``: share of all others whose label is not that of the run before.
    """
    switch = LAST_DAY_BEFORE + timedelta(days=1)
    last = LAST_DAY_BEFORE + timedelta(days=nights)
    whole = simulate(customers, seed, 5, first_day=FIRST_DAY, last_day=last)
    shop, switched = switched_shop(whole, origin, target, share, switch, seed)
    stayed = shop.truth.astype(str).set_index("customer_id")["type"].drop(switched)
    rows = []
    with TemporaryDirectory(prefix="segmentation-bench-") as folder:
        told = settings.model_copy(update={"home": Path(folder), "timezone": TIMEZONE})
        lay(told.lake, shop, last)
        night = run_again(told, LAST_DAY_BEFORE, None)
        labels = segments_of(told, night.night)
        homes = {
            name: labels.reindex(stayed.index[stayed == name]).dropna().mode().iloc[0] for name in (origin, target)
        }
        log.info("most of %s are in segment %s, most of %s in %s", origin, homes[origin], target, homes[target])
        followed = labels.index.intersection(switched)
        followed = followed[(labels[followed] == homes[origin]).to_numpy()]
        for number in range(every, nights + 1, every):
            day = LAST_DAY_BEFORE + timedelta(days=number)
            night = run_again(told, day, night.night)
            before, labels = labels, segments_of(told, night.night)
            active = _active(shop, switch, day).intersection(followed)
            others = before.index.intersection(labels.index).difference(switched)
            moved = float((before[others] != labels[others]).mean())
            now = labels[followed]
            arrived = now == homes[target]
            rows.append(
                (
                    number,
                    len(active) / len(followed),
                    float((now != homes[origin]).mean()),
                    float(arrived.mean()),
                    float(arrived[active].mean()) if len(active) else float("nan"),
                    moved,
                )
            )
            log.info("night %s: %s", number, np.round(rows[-1][1:], 3).tolist())
    return pd.DataFrame(rows, columns=list(COLUMNS)).round(3)


def _active(shop: Shop, first: date, last: date) -> pd.Index:
    """Return the ids of customers who visited or ordered from the first day to the last."""
    since, until = (pd.Timestamp(at) for at in (day_interval(first, TIMEZONE).start, day_interval(last, TIMEZONE).end))
    # a campaign is the shop's doing
    acts = shop.events[shop.events["event_type"] != "campaign_sent"]
    seen = [
        rows.loc[rows[time].between(since, until), "customer_id"]
        for rows, time in ((acts, TIME_COLUMNS[EVENTS]), (shop.orders, TIME_COLUMNS[ORDERS]))
    ]
    return pd.Index(pd.concat(seen).dropna().unique()).astype(str)
