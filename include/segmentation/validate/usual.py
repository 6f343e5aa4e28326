"""How many rows a day usually has, and how far from that is too far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import inf, sqrt
from statistics import fmean, pvariance

_FALLBACK_DAYS = 28
# standard deviations; as unlikely as no row at all on a day where about 7 are usual
_SURPRISE = 4.0


@dataclass(frozen=True)
class Usual:
    """The usual number of rows of a day.

    Attributes
    ----------
    expected : float
        Rows, mean over the days compared with.
    at_least, at_most : float
        Rows; a number outside is far from usual *and* beyond what chance explains.
    basis : str
        The days compared with, in words.
    """

    expected: float
    at_least: float
    at_most: float
    basis: str


def usual_rows(history: Mapping[date, int], day: date, baseline_weeks: int, ratio_limit: float) -> Usual | None:
    """Work out what is usual from earlier days: same weekdays if there are any, else the last 28 days.

    Parameters
    ----------
    history : mapping of date to int
        Rows per day; days that are not there were not extracted, and days from ``day`` on are not looked at.
    day : date
        The business day to judge.
    baseline_weeks : int
        Weeks back that same weekdays are taken from.
    ratio_limit : float
        Times more, or less, than expected that is still usual.

    Returns
    -------
    Usual or None
        None if no earlier day is known.

    Notes
    -----
    Counts scatter at least as a Poisson number does; square roots of counts scatter evenly, so the limit of
    chance is set there, widened by how much more than Poisson the days compared with scatter. A weekday on which
    the shop is closed says nothing about how much is too much: the upper limit is never below that of all
    days of the last four weeks, and there is none if these had no rows (the shop has only begun to collect them).

    Examples
    --------
    >>> monday = date(2017, 10, 30)
    >>> weeks = {monday - timedelta(weeks=w): 400 for w in range(1, 9)}
    >>> usual = usual_rows(weeks, monday, baseline_weeks=8, ratio_limit=5)
    >>> usual.expected, usual.at_least, usual.at_most, usual.basis
    (400.0, 80.0, 2000.0, '8 Mondays before')
    >>> usual_rows({}, monday, 8, 5) is None
    True
    """
    weekdays = [day - timedelta(weeks=week) for week in range(1, baseline_weeks + 1)]
    recent_days = [day - timedelta(days=back) for back in range(1, _FALLBACK_DAYS + 1)]
    same = [history[earlier] for earlier in weekdays if earlier in history]
    recent = [history[earlier] for earlier in recent_days if earlier in history]
    compared, noun = (same, f"{day:%A}") if same else (recent, "day")
    if not compared:
        return None
    highest = max(_highest(counts, ratio_limit) for counts in (compared, recent) if counts)
    return Usual(
        fmean(compared),
        _lowest(compared, ratio_limit),
        highest or inf,
        f"{len(compared)} {noun}{'s' if len(compared) > 1 else ''} before",
    )


def _lowest(counts: Sequence[int], ratio_limit: float) -> float:
    expected = fmean(counts)
    by_chance = max(sqrt(expected + 0.375) - _width(counts), 0.0) ** 2 - 0.375
    return max(min(expected / ratio_limit, by_chance), 0.0)


def _highest(counts: Sequence[int], ratio_limit: float) -> float:
    expected = fmean(counts)
    if not expected:
        return 0.0
    return max(expected * ratio_limit, (sqrt(expected + 0.375) + _width(counts)) ** 2 - 0.375)


def _width(counts: Sequence[int]) -> float:
    expected = fmean(counts)
    scatter = sqrt(max(1.0, pvariance(counts) / expected)) if expected else 1.0
    return _SURPRISE * scatter / 2
