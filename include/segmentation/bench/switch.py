"""`segmentation bench switch`: customers who change their ways on a known day, and how soon their label says so.

A label cannot follow sooner than rows can tell. `tell_at_best` says how soon that is: it gives the rows to a
classifier that was shown, in other shops, who switches, which no segmentation is.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
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
from segmentation.clusters.inputs import read_static
from segmentation.config import Settings
from segmentation.demo.simulator import DEMO_DAYS, FIRST_DAY, TIMEZONE, Shop, simulate
from segmentation.errors import InvalidSetting
from segmentation.extract.contract import TIME_COLUMNS
from segmentation.features.build_features import build_features

log = logging.getLogger(__name__)

#: The last night before the switch; those who switch do so with the next midnight.
LAST_DAY_BEFORE = DEMO_DAYS[-1]
COLUMNS = ("night", "active", "left", "arrived", "arrived_active", "others_moved")
#: Shares of the others who may be taken for somebody who switched.
FALSE_MOVES = (0.015, 0.05)
AT_BEST_COLUMNS = ("night", "auc", *(f"told_at_{share:.1%}" for share in FALSE_MOVES))
#: Shops that the classifier is shown, and the share of the type that switches in each: many, so that it learns well.
_SHOWN, _SHOWN_SHARE = 2, 0.4


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
        told = settings.apart(Path(folder), timezone=TIMEZONE)
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


def tell_at_best(
    settings: Settings, customers: int, origin: str, target: str, nights: Sequence[int], seed: int
) -> pd.DataFrame:
    """Tell those who switched from those of their type who did not, knowing what no segmentation knows: who they were.

    Parameters
    ----------
    settings : Settings
        All but home and timezone are used.
    customers : int
        Of each simulated shop, of five types.
    origin, target
        As for `switched_shop`.
    nights : sequence of int
        Nights after the switch.
    seed : int
        Seed of the shop that is judged; the classifier is shown others.

    Returns
    -------
    DataFrame
        One row per night, `AT_BEST_COLUMNS`: area under the ROC curve, and the shares of those who switched who are
        told where these shares of the others of their type are taken for them.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    judged = _changes_since(settings, customers, origin, target, nights, seed)
    shown = [
        _changes_since(settings, customers, origin, target, nights, seed + number) for number in range(1, _SHOWN + 1)
    ]
    rows = []
    for night in nights:
        learnt = pd.concat([changes[night] for changes in shown])
        known = learnt.columns[learnt.std() > 0].intersection(judged[night].columns).drop("switched")
        model = HistGradientBoostingClassifier(learning_rate=0.05, max_features=0.3, random_state=seed)
        model.fit(learnt[known], learnt["switched"])
        switched = judged[night]["switched"].to_numpy(dtype=bool)
        chances = model.predict_proba(judged[night][known])[:, 1]
        told = [(chances[switched] > np.quantile(chances[~switched], 1 - share)).mean() for share in FALSE_MOVES]
        rows.append((night, roc_auc_score(switched, chances), *told))
        log.info("at best, night %s: %s", night, np.round(rows[-1][1:], 3).tolist())
    return pd.DataFrame(rows, columns=list(AT_BEST_COLUMNS)).round(3)


def _changes_since(
    settings: Settings, customers: int, origin: str, target: str, nights: Sequence[int], seed: int
) -> dict[int, pd.DataFrame]:
    """Describe a type's customers by night: as they were, as they are, what they did since, and who ``switched``."""
    switch, last = (LAST_DAY_BEFORE + timedelta(days=days) for days in (1, max(nights)))
    whole = simulate(customers, seed, 5, first_day=FIRST_DAY, last_day=last)
    shop, switched = switched_shop(whole, origin, target, _SHOWN_SHARE, switch, seed)
    truth = shop.truth.astype(str).set_index("customer_id")["type"]
    of_type = truth.index[truth == origin]
    described = {}
    with TemporaryDirectory(prefix="segmentation-bench-") as folder:
        told = settings.apart(Path(folder), timezone=TIMEZONE)
        lay(told.lake, shop, last)
        before = _described(told, LAST_DAY_BEFORE)
        for night in nights:
            day = LAST_DAY_BEFORE + timedelta(days=night)
            now = _described(told, day)
            changes = (now - before)[before.columns.intersection(now.columns)]
            rows = before.add_prefix("before_").join([now.add_prefix("now_"), changes.add_prefix("change_")])
            rows = rows.join(_counted(shop, switch, day)).loc[rows.index.intersection(of_type)]
            described[night] = rows.assign(switched=rows.index.isin(switched))
    return described


def _described(settings: Settings, day: date) -> pd.DataFrame:
    """Return the static features of a day that are numbers, by customer."""
    build_features(settings, day, warm=True)
    return read_static(settings.lake, day).set_index("customer_id").select_dtypes("number").astype(float)


def _counted(shop: Shop, first: date, last: date) -> pd.DataFrame:
    """Count each customer's orders, visits, and events of each kind from the first day to the last."""
    orders, events = (_between(shop.tables[table], TIME_COLUMNS[table], first, last) for table in (ORDERS, EVENTS))
    customer = events["customer_id"].astype(str)
    counts = pd.crosstab(customer, events["event_type"].astype(str))
    counts["visits"] = events.groupby(customer)["session_id"].nunique()
    counts = counts.join(orders["customer_id"].astype(str).value_counts().rename("orders"), how="outer")
    return counts.fillna(0.0).add_prefix("since_")


def _between(rows: pd.DataFrame, time: str, first: date, last: date) -> pd.DataFrame:
    since, until = (pd.Timestamp(at) for at in (day_interval(first, TIMEZONE).start, day_interval(last, TIMEZONE).end))
    return rows[rows[time].between(since, until, inclusive="left")]


def _active(shop: Shop, first: date, last: date) -> pd.Index:
    """Return the ids of customers who visited or ordered from the first day to the last."""
    # a campaign is the shop's doing
    acts = shop.events[shop.events["event_type"] != "campaign_sent"]
    seen = [
        _between(rows, TIME_COLUMNS[table], first, last)["customer_id"]
        for table, rows in ((EVENTS, acts), (ORDERS, shop.orders))
    ]
    return pd.Index(pd.concat(seen).dropna().unique()).astype(str)
