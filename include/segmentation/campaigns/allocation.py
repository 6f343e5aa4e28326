"""How to split the next campaign among competing actions: Thompson sampling on what they have brought so far.

Each action gets customers in proportion to the chance that it is the best one; with customers assigned in campaigns,
not one by one, this is Thompson sampling (Thompson 1933; Russo, Van Roy, Kazerouni, Osband and Wen 2018, A tutorial on
Thompson sampling). A floor keeps every action in the race.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from segmentation.campaigns.measurement import ALL_SEGMENTS, MeasuredCampaign
from segmentation.campaigns.uplift import Moments, adjusted_variance, slope
from segmentation.catalog import MINIMUM_SHOWN
from segmentation.config import CampaignSettings
from segmentation.warehouse import campaign_allocation, campaigns

_DRAWS = 20_000

#: Mean spend and standard error of each arm of one campaign, by arm.
Wave = Mapping[str, tuple[float, float]]


def measure_arms(groups: Mapping[str, Moments]) -> dict[str, tuple[float, float]] | None:
    """Return mean spend per customer, adjusted by CUPED, and its standard error for each arm.

    Parameters
    ----------
    groups : mapping of arm to Moments

    Returns
    -------
    dict or None
        None while an arm has fewer than `MINIMUM_SHOWN` customers or nobody in it has spent.
    """
    if not groups or min(group.customers for group in groups.values()) < MINIMUM_SHOWN:
        return None
    theta = slope(tuple(groups.values()))
    customers = sum(group.customers for group in groups.values())
    usual = sum(group.covariate * group.customers for group in groups.values()) / customers
    arms = {
        arm: (
            group.outcome - theta * (group.covariate - usual),
            math.sqrt(adjusted_variance(group, theta) / group.customers),
        )
        for arm, group in groups.items()
    }
    return arms if min(error for _, error in arms.values()) > 0 else None


def chances_best(waves: Sequence[Wave], arms: Sequence[str], seed: int) -> dict[str, float]:
    """Return each arm's chance to have the highest mean, given one or more campaigns.

    Campaigns run at different times, so each has a level of its own and only differences between its arms count:
    the posterior is Gaussian, with a flat prior on levels and on differences.

    Parameters
    ----------
    waves : sequence of Wave
        Campaigns that compared these arms (or some of them), at least one with all.
    arms : sequence of str
        K arms.
    seed : int
        Of the draws from the posterior.

    Returns
    -------
    dict of str to float
        Sums to 1.

    Examples
    --------
    >>> chances = chances_best([{"a": (10.0, 1.0), "b": (12.0, 1.0)}], ["a", "b"], seed=1)
    >>> round(chances["b"], 2)  # the normal law gives 0.921
    0.92
    """
    size = len(arms)
    precision, shift = np.zeros((size, size)), np.zeros(size)
    for wave in waves:
        weight = np.array([wave[arm][1] ** -2 if arm in wave else 0.0 for arm in arms])
        mean = np.array([wave[arm][0] if arm in wave else 0.0 for arm in arms])
        if not weight.any():
            continue
        # what remains of the likelihood once the campaign's own level is integrated out
        centred = np.diag(weight) - np.outer(weight, weight) / weight.sum()
        precision += centred
        shift += centred @ mean
    # only differences are known; pinning the sum makes the level definite and leaves them as they are
    precision += np.full((size, size), float(np.trace(precision)) / size**2)
    draws = _draws(np.linalg.solve(precision, shift), np.linalg.inv(precision), seed)
    best = np.bincount(draws.argmax(axis=1), minlength=size) / len(draws)
    return {arm: float(best[number]) for number, arm in enumerate(arms)}


def _draws(mean: NDArray[np.floating], covariance: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    normal = np.random.default_rng(seed).standard_normal((_DRAWS, len(mean)))
    drawn: NDArray[np.float64] = mean + normal @ np.linalg.cholesky(covariance).T
    return drawn


def propose_shares(chances: Mapping[str, float], exploration_share: float) -> dict[str, float]:
    """Turn chances into shares, none below the floor.

    Parameters
    ----------
    chances : mapping of arm to chance
        Sums to 1.
    exploration_share : float
        Least share of an arm; with many arms at most an equal one.

    Returns
    -------
    dict of str to float
        Four decimals; sums to 1.

    Examples
    --------
    >>> propose_shares({"a": 0.9, "b": 0.1, "c": 0.0}, 0.1)
    {'a': 0.73, 'b': 0.17, 'c': 0.1}
    """
    floor = min(exploration_share, 1 / len(chances))
    shares = {arm: round(floor + (1 - len(chances) * floor) * chance, 4) for arm, chance in chances.items()}
    largest = max(shares, key=lambda arm: shares[arm])
    shares[largest] = round(shares[largest] + 1 - sum(shares.values()), 4)
    return shares


def allocation_rows(
    connection: Connection, measured: MeasuredCampaign, settings: CampaignSettings
) -> list[dict[str, Any]]:
    """Propose the split of the campaign after one that compares actions.

    Parameters
    ----------
    connection : Connection
        The warehouse: what campaigns before it in the chain of ``follows`` had brought by the day.
    measured : MeasuredCampaign
        From `measure_campaigns`.
    settings : CampaignSettings
        Least share of an action, seed.

    Returns
    -------
    list of dict
        Rows of `marts.campaign_allocation`, by arm; none for a campaign of one action.
    """
    arms, campaign = measured.arms, measured.campaign
    if len(arms) < 2:
        return []
    groups = {arm: measured.groups.get((ALL_SEGMENTS, arm)) for arm in arms}
    now = dict(zip(arms, campaign["arm_shares"], strict=True))
    means = None
    if all(groups.values()):
        means = measure_arms({arm: group for arm, group in groups.items() if group})
    chances: dict[str, float] = {}
    shares = now
    if means:
        chances = chances_best([means, *_earlier(connection, campaign, measured.day)], arms, settings.seed)
        shares = propose_shares(chances, settings.exploration_share)
    return [
        {
            "as_of": measured.day,
            "campaign_id": campaign["campaign_id"],
            "arm": arm,
            "customers": group.customers if (group := groups[arm]) else 0,
            "mean_spend": round(means[arm][0], 2) if means else None,
            "standard_error": means[arm][1] if means else None,
            "chance_best": chances.get(arm),
            "share_now": now[arm],
            "share_next": shares[arm],
        }
        for arm in sorted(arms)
    ]


def _earlier(connection: Connection, campaign: Mapping[str, Any], day: date) -> list[Wave]:
    """Return the newest figures, by the day, of the campaigns that this one goes on from."""
    waves: list[Wave] = []
    follows = campaign["follows"]
    while follows is not None:
        rows = connection.execute(
            select(campaign_allocation)
            .where(campaign_allocation.c.campaign_id == follows, campaign_allocation.c.as_of <= day)
            .order_by(campaign_allocation.c.as_of.desc(), campaign_allocation.c.arm)
        ).mappings()
        newest: date | None = None
        wave: dict[str, tuple[float, float]] = {}
        for row in rows:
            newest = newest or row["as_of"]
            if row["as_of"] == newest and row["standard_error"]:
                wave[row["arm"]] = (float(row["mean_spend"]), row["standard_error"])
        waves.append(wave)
        follows = connection.scalar(select(campaigns.c.follows).where(campaigns.c.campaign_id == follows))
    return waves
