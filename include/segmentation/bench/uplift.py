"""`segmentation bench uplift`: simulated campaigns with known uplift, measured as the nightly run measures them.

Spend is as shops have it: most customers spend nothing in a month, few spend much, who bought much goes on buying, some
come back at a steady rhythm, and a basket's value has a long tail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from segmentation.campaigns.allocation import Wave, chances_best, measure_arms, propose_shares
from segmentation.campaigns.uplift import Moments, Uplift, estimate_uplift
from segmentation.config import CampaignSettings

#: Days of a simulated campaign.
CAMPAIGN_DAYS = 28
_ORDERS_28D = 0.8
_RATE_SHAPE = 0.5
_NEVER_SHARE = 0.3
_STEADY_SHARE = 0.25
_BASKET = 40.0
_BASKET_SPREAD = 0.5
_ORDER_SPREAD = 0.7


@dataclass(frozen=True)
class Kind:
    """One kind of simulated campaign.

    Attributes
    ----------
    name : str
        How the table calls it.
    customers : int
        Members.
    control_share : float
        Share left alone.
    lift : float
        Share by which the campaign raises the treated's number of orders while it runs.
    """

    name: str
    customers: int
    control_share: float
    lift: float


KINDS = (
    Kind("A/A: no effect, half left alone", 4000, 0.5, 0.0),
    Kind("A/A: no effect, holdout of 5 %", 10_000, 0.05, 0.0),
    Kind("A/A: no effect, 100 left alone", 1000, 0.1, 0.0),
    Kind("10 % more orders, half left alone", 4000, 0.5, 0.1),
    Kind("30 % more orders, half left alone", 4000, 0.5, 0.3),
    Kind("30 % more orders, 10 % left alone", 4000, 0.1, 0.3),
    Kind("30 % fewer orders, half left alone", 4000, 0.5, -0.3),
)


def expected_spend() -> float:
    """Return the mean spend of a simulated customer in 28 days without a campaign."""
    return (1 - _NEVER_SHARE) * _ORDERS_28D * _BASKET


def simulate_spend(
    rng: np.random.Generator, lifts: NDArray[np.float64], days_before: int, days: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Simulate what customers spend before a campaign and on each day since its launch.

    Parameters
    ----------
    rng : Generator
    lifts : (B,)
        Share by which each customer's rate of orders changes during the `CAMPAIGN_DAYS` after the launch.
    days_before, days : int
        Days before the launch, and since.

    Returns
    -------
    before : (B,)
        Sum before the launch, whole cents, shop currency.
    daily : (B, days)
        Spend on each day since.
    """
    count = len(lifts)
    rate = rng.gamma(_RATE_SHAPE, _ORDERS_28D / _RATE_SHAPE / 28, count) * (rng.random(count) >= _NEVER_SHARE)
    basket = _BASKET * np.exp(_BASKET_SPREAD * rng.standard_normal(count) - (_BASKET_SPREAD**2 + _ORDER_SPREAD**2) / 2)
    total = days_before + days
    factor = np.ones((count, total))
    factor[:, days_before : days_before + CAMPAIGN_DAYS] += lifts[:, None]
    expected = np.cumsum(rate[:, None] * factor, axis=1)
    orders = rng.poisson(rate[:, None] * factor)
    # steady customers order each time the expected number grows by one, from a random start
    steady = rng.random(count) < _STEADY_SHARE
    start = rng.random(count)
    passed = np.floor(expected[steady] + start[steady, None])
    orders[steady] = np.diff(passed, axis=1, prepend=0.0).astype(orders.dtype)
    who, when = np.nonzero(orders)
    repeats = orders[who, when]
    who, when = np.repeat(who, repeats), np.repeat(when, repeats)
    values = np.round(basket[who] * np.exp(_ORDER_SPREAD * rng.standard_normal(len(who))), 2)
    spend = np.bincount(who * total + when, weights=values, minlength=count * total).reshape(count, total)
    before: NDArray[np.float64] = spend[:, :days_before].sum(axis=1)
    return before, spend[:, days_before:].astype(np.float64)


def score_intervals(campaigns: int, seed: int, settings: CampaignSettings | None = None) -> pd.DataFrame:
    """Measure simulated campaigns every night and compare intervals and verdicts with the truth.

    Parameters
    ----------
    campaigns : int
        Campaigns of each of `KINDS`.
    seed : int
    settings : CampaignSettings, optional
        Level, covariate days and days after; the defaults.

    Returns
    -------
    DataFrame
        One row per kind; shares in percent: ``final covers`` (the interval for one look at the planned last night),
        ``all nights cover`` (the published one, on every night), ``proven`` and ``harmful`` (on any night), and the
        mean half widths of both on the last night, as percent of the expected spend of the days measured.
    """
    chosen = settings or CampaignSettings()
    return pd.DataFrame([_score_kind(kind, number, campaigns, seed, chosen) for number, kind in enumerate(KINDS)])


def _score_kind(kind: Kind, number: int, campaigns: int, seed: int, settings: CampaignSettings) -> dict[str, object]:
    nights = CAMPAIGN_DAYS + settings.days_after
    # what the campaign brings on average up to each night
    truth = kind.lift * expected_spend() * np.minimum(np.arange(1, nights + 1), CAMPAIGN_DAYS) / CAMPAIGN_DAYS
    final, always, proven, harmful = (np.zeros(campaigns, dtype=bool) for _ in range(4))
    widths = np.zeros((campaigns, 2))
    for campaign in range(campaigns):
        rng = np.random.default_rng([seed, number, campaign])
        control = rng.random(kind.customers) < kind.control_share
        before, daily = simulate_spend(rng, np.where(control, 0.0, kind.lift), settings.covariate_days, nights)
        so_far = np.cumsum(daily, axis=1)
        always[campaign] = True
        for night in range(nights):
            estimate = estimate_uplift(
                _moments(so_far[~control, night], before[~control]), _moments(so_far[control, night], before[control])
            )
            if estimate is None:
                continue
            low, high = estimate.always_valid_interval(settings.level, (night + 1) / nights)
            always[campaign] &= low <= truth[night] <= high
            # as in the nightly run, where a verdict of one night may be taken back by another
            proven[campaign] |= low > 0
            harmful[campaign] |= high < 0
            if night == nights - 1:
                final[campaign], widths[campaign] = _last_night(estimate, truth[night], settings.level, (low, high))
    usual = expected_spend() * nights / CAMPAIGN_DAYS
    shares = {"final covers": final, "all nights cover": always, "proven": proven, "harmful": harmful}
    return {
        "campaign": kind.name,
        "customers": kind.customers,
        "campaigns": campaigns,
        **{name: round(100 * float(flags.mean()), 1) for name, flags in shares.items()},
        "half width, final": round(100 * float(widths[:, 0].mean()) / usual, 1),
        "half width, any night": round(100 * float(widths[:, 1].mean()) / usual, 1),
    }


def _last_night(
    estimate: Uplift, truth: float, level: float, always: tuple[float, float]
) -> tuple[bool, tuple[float, float]]:
    low, high = estimate.interval(level)
    return low <= truth <= high, ((high - low) / 2, (always[1] - always[0]) / 2)


def _moments(outcome: NDArray[np.float64], covariate: NDArray[np.float64]) -> Moments:
    spread = np.cov(outcome, covariate)
    return Moments(
        len(outcome),
        float(outcome.mean()),
        float(covariate.mean()),
        float(spread[0, 0]),
        float(spread[1, 1]),
        float(spread[0, 1]),
    )


#: Competing actions of the learning simulation, by what they do to the number of orders.
COMPETING: Mapping[str, float] = {"action a": 0.0, "action b": 0.1, "action c": 0.3}
#: Campaigns in a row, and customers treated in each.
WAVES, WAVE_CUSTOMERS = 8, 3000


def score_allocation(runs: int, seed: int, settings: CampaignSettings | None = None) -> pd.DataFrame:
    """Run chains of campaigns that compare actions: Thompson's split beside equal shares.

    Parameters
    ----------
    runs : int
        Chains of `WAVES` campaigns each.
    seed : int
    settings : CampaignSettings, optional
        Least share of an action; the defaults.

    Returns
    -------
    DataFrame
        ``allocation``, ``regret`` (spend lost per treated customer and campaign against always choosing the best
        action, shop currency, mean over runs and waves), its standard error, ``regret, last wave``, and the
        share that got the best action in the last wave, percent.
    """
    chosen = settings or CampaignSettings()
    rows = []
    for name, learns in (("uniform", False), ("Thompson", True)):
        regrets = np.zeros((runs, WAVES))
        best_share = np.zeros(runs)
        for run in range(runs):
            regrets[run], best_share[run] = _run_chain(run, seed, chosen, learns=learns)
        rows.append(
            {
                "allocation": name,
                "runs": runs,
                "regret": round(float(regrets.mean()), 3),
                "standard error": round(float(regrets.mean(axis=1).std(ddof=1)) / math.sqrt(runs), 3),
                "regret, last wave": round(float(regrets[:, -1].mean()), 3),
                "best action in last wave": round(100 * float(best_share.mean()), 1),
            }
        )
    return pd.DataFrame(rows)


def _run_chain(run: int, seed: int, settings: CampaignSettings, *, learns: bool) -> tuple[NDArray[np.float64], float]:
    arms = list(COMPETING)
    gains = np.array([COMPETING[arm] * expected_spend() for arm in arms])
    shares = {arm: 1 / len(arms) for arm in arms}
    waves: list[Wave] = []
    regrets = np.zeros(WAVES)
    share_best = 0.0
    for wave in range(WAVES):
        rng = np.random.default_rng([seed, run, wave])
        arm_of = rng.choice(len(arms), size=WAVE_CUSTOMERS, p=[shares[arm] for arm in arms])
        regrets[wave] = float((gains.max() - gains[arm_of]).mean())
        share_best = float((arm_of == gains.argmax()).mean())
        if not learns:
            continue
        lifts = np.array([COMPETING[arm] for arm in arms])[arm_of]
        before, daily = simulate_spend(rng, lifts, settings.covariate_days, CAMPAIGN_DAYS)
        spend = daily.sum(axis=1)
        means = measure_arms(
            {arm: _moments(spend[arm_of == number], before[arm_of == number]) for number, arm in enumerate(arms)}
        )
        if means:
            waves.append(means)
            shares = propose_shares(chances_best(waves, arms, settings.seed), settings.exploration_share)
    return regrets, share_best
