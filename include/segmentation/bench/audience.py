"""Do the customers whom `marts.audience` would name really buy? `segmentation bench audience --day D`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentation.bench.replay import borrow_snapshots, replaying
from segmentation.catalog import CHECKED, ORDERS
from segmentation.clusters.inputs import read_future_categories, read_static
from segmentation.config import Settings
from segmentation.encoder.encode_day import encode_day
from segmentation.encoder.interests import Interests, tell_interests
from segmentation.errors import MissingInput
from segmentation.features.build_features import build_features

Floats = npt.NDArray[np.float64]

#: Categories that a customer is offered when audiences are read the other way round.
OFFERED = 5
_GROUPS = 10


@dataclass(frozen=True)
class AudienceScores:
    """How chances told at the end of a day compare with what came.

    Attributes
    ----------
    calibration : DataFrame
        A row per tenth of all (customer, category) pairs by chance: ``pairs``, ``foretold`` (mean chance) and
        ``happened`` (share who bought).
    audiences : DataFrame
        A row per category and their mean: ``shop`` (share of all customers who bought) and, among the first n
        customers, the share who bought when they are ranked by chance (``likelihood``), by their past in the category
        (``past_buyers``), and by orders in 91 days whatever the category (``busiest``); ``lift`` = likelihood / shop.
    summary : list of str
        Errors of the chances beside the shop's rates, and the first categories of each customer, in words.
    """

    calibration: pd.DataFrame
    audiences: pd.DataFrame
    summary: list[str]


def score_audience(settings: Settings, day: date, n: int) -> AudienceScores:
    """Train and tell chances as of ``day``, from nothing, and compare them with the purchases of the horizon after it.

    Parameters
    ----------
    settings : Settings
        Of a lake whose checked rows reach to a horizon after ``day``; nothing of that is used but to score.
    day : date
        Business day D.
    n : int
        Customers of each audience, consent and holdout aside.

    Raises
    ------
    MissingInput
        If the lake does not reach far enough, or no chances can be told as of ``day``.
    """
    last = day + timedelta(days=settings.features.horizon_days)
    if not settings.lake.rows_file(CHECKED, ORDERS, last).exists():
        what = f"the {settings.features.horizon_days} days after it"
        raise MissingInput(what, day, f"Choose an earlier day, or run the days up to {last} first.")
    with replaying(settings) as apart:
        borrow_snapshots(apart, day)
        build_features(apart, day, warm=False)
        encode_day(apart, day, None, None, "bench")
        # before the features of a later day remove the windows of this one
        interests = tell_interests(apart.lake, day)
        if isinstance(interests, str):
            raise MissingInput(f"interests: {interests}; they", day, "Choose a later day, or a shop with categories.")
        static = read_static(apart.lake, day)
        borrow_snapshots(apart, last)
        build_features(apart, last, warm=True)
        future = read_future_categories(apart.lake, last, day)
    orders = static.set_index("customer_id")["frequency_91d"].reindex(interests.customer_ids).fillna(0.0).to_numpy()
    return judge(interests, happened(interests, future), orders, n)


def happened(interests: Interests, future: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Say who bought from what, shape (B, C), from ``customer_id`` and ``category`` of each purchase."""
    customer = pd.Index(interests.customer_ids).get_indexer(pd.Index(future["customer_id"]))
    category = pd.Index(list(interests.categories)).get_indexer(pd.Index(future["category"]))
    bought = np.zeros(interests.chances.shape, dtype=bool)
    there = (customer >= 0) & (category >= 0)
    bought[customer[there], category[there]] = True
    return bought


def judge(interests: Interests, bought: npt.NDArray[np.bool_], orders: Floats, n: int) -> AudienceScores:
    """Compare chances with what happened.

    Parameters
    ----------
    interests : Interests
        Of B customers and C categories.
    bought : array of bool, shape (B, C)
    orders : array of float, shape (B,)
        Orders of each customer in 91 days.
    n : int
        Customers of each audience.
    """
    chances, names = interests.chances, np.asarray(interests.customer_ids)
    lately = (interests.periods & 1).astype(np.float64)
    often = np.bitwise_count(interests.periods).astype(np.float64)
    # how often comes first, then whether lately: the better of the two orders
    past = often + 0.5 * lately
    popular = lately.mean(axis=0)
    rows = []
    for c, category in enumerate(interests.categories):
        ranked = [_share_of_first(score, names, bought[:, c], n) for score in (chances[:, c], past[:, c], orders)]
        shop = bought[:, c].mean()
        rows.append((category, shop, *ranked, ranked[0] / shop if shop else np.nan))
    audiences = pd.DataFrame(rows, columns=["category", "shop", "likelihood", "past_buyers", "busiest", "lift"])
    audiences = audiences.sort_values("shop", ascending=False, ignore_index=True)
    means = audiences.drop(columns="category").mean()
    audiences.loc[len(audiences)] = ["mean", *means.tolist()]

    flat, truth = chances.ravel(), bought.ravel()
    groups = np.array_split(np.argsort(flat, kind="stable"), min(_GROUPS, flat.size))
    calibration = pd.DataFrame(
        [(len(group), flat[group].mean(), truth[group].mean()) for group in groups],
        columns=["pairs", "foretold", "happened"],
    )
    gap = np.average((calibration["foretold"] - calibration["happened"]).abs(), weights=calibration["pairs"])
    base = np.broadcast_to(popular, chances.shape).ravel()
    offers = [_share_of_offers(score, bought) for score in (chances, past, np.broadcast_to(popular, chances.shape))]
    summary = [
        f"{len(names):,} customers, {len(interests.categories)} categories; mean gap between foretold and happened, by "
        f"tenths, {gap:.4f}",
        f"Brier score {np.mean((flat - truth) ** 2):.4f} (the shop's rates of the last horizon for everybody: "
        f"{np.mean((base - truth) ** 2):.4f})",
        f"the first {OFFERED} categories of each customer: {offers[0]:.3f} bought (by the own past {offers[1]:.3f}, "
        f"the shop's most popular {offers[2]:.3f})",
    ]
    return AudienceScores(calibration.round(4), audiences.round(3), summary)


def _share_of_first(score: Floats, names: npt.NDArray[np.object_], bought: npt.NDArray[np.bool_], n: int) -> float:
    order = np.lexsort((names.astype(str), -score))
    return float(bought[order[:n]].mean())


def _share_of_offers(score: Floats, bought: npt.NDArray[np.bool_]) -> float:
    first = np.argsort(-score, axis=1, kind="stable")[:, :OFFERED]
    return float(np.take_along_axis(bought, first, axis=1).mean())
