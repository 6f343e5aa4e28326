"""What a campaign brought per customer: a difference in means, adjusted for what customers spent before it.

Scipy has the distributions and the chi-square test. Of the libraries looked at, tea-tasting has CUPED but wants Ibis
and knows no interval that may be looked at every night; confseq has those intervals, but had its last release in 2023.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Moments:
    """One group of customers: means, variances and covariance of spend after (outcome) and before (covariate).

    Attributes
    ----------
    customers : int
        Customers in the group.
    outcome, covariate : float
        Means per customer, shop currency.
    outcome_variance, covariate_variance, covariance : float
        Sample (co)variances, shop currency squared.
    """

    customers: int
    outcome: float
    covariate: float
    outcome_variance: float
    covariate_variance: float
    covariance: float

    @classmethod
    def of_cents(cls, customers: int, y: int, x: int, yy: int, xx: int, xy: int) -> Moments:
        """Make moments from exact sums of whole cents, so that the order of rows leaves no trace.

        Parameters
        ----------
        customers : int
            Customers in the group, at least 1.
        y, x : int
            Sums of outcome and covariate, cents.
        yy, xx, xy : int
            Sums of their squares and of their product, cents squared.

        Examples
        --------
        Two customers spent 1.00 and 3.00 after the launch, 0.00 and 2.00 before it:

        >>> Moments.of_cents(2, 400, 200, 100**2 + 300**2, 200**2, 300 * 200)
        Moments(customers=2, outcome=2.0, covariate=1.0, outcome_variance=2.0, covariate_variance=2.0, covariance=2.0)
        """

        def spread(product: int, one: int, other: int) -> float:
            return (customers * product - one * other) / max(customers * (customers - 1), 1) / 10_000

        return cls(
            customers, y / customers / 100, x / customers / 100, spread(yy, y, y), spread(xx, x, x), spread(xy, x, y)
        )


@dataclass(frozen=True)
class Uplift:
    """An estimate of the mean effect on a treated customer.

    Attributes
    ----------
    value : float
        Uplift, shop currency per customer.
    error : float
        Its standard error.
    freedom : float
        Degrees of freedom of the error (Welch-Satterthwaite).
    cautious_error : float
        The larger of the error and the one with both groups' spread pooled. A small control group without a big
        spender has both a low mean and a small spread of its own: many nights' looks would find such a night.
    """

    value: float
    error: float
    freedom: float
    cautious_error: float

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval for one look, at a day fixed beforehand; its error is ``level``.

        Examples
        --------
        >>> low, high = Uplift(2.0, 1.0, 1e6, 1.0).interval(0.05)
        >>> round(low, 2), round(high, 2)
        (0.04, 3.96)
        """
        from scipy.stats import t

        half = float(t.isf(level / 2, self.freedom)) * self.error
        return self.value - half, self.value + half

    def always_valid_interval(self, level: float, elapsed: float) -> tuple[float, float]:
        """Return the interval that may be looked at every night: all nights' cover together with 1 - ``level``.

        Parameters
        ----------
        level : float
            Chance that any night's interval misses, for example 0.05.
        elapsed : float
            Days measured as a share of the days planned; above 1 if the campaign was prolonged.

        Examples
        --------
        >>> low, high = Uplift(2.0, 1.0, 1e6, 1.0).always_valid_interval(0.05, 1.0)
        >>> round(low, 2), round(high, 2)
        (-1.04, 5.04)
        """
        from scipy.stats import norm, t

        # a group of few customers has wider tails than the normal law: the same chance, read off Student's t
        quantile = float(t.isf(norm.sf(always_valid_quantile(level, elapsed)), self.freedom))
        half = quantile * self.cautious_error
        return self.value - half, self.value + half


def always_valid_quantile(level: float, elapsed: float) -> float:
    """Return the standard errors that an estimate may stray, over all nights together.

    Robbins' normal mixture boundary over time measured in days, tightest at the planned end. With time u (in units of
    the mixture's variance) a Brownian motion of variance u leaves +-sqrt((u + 1) log((u + 1) / level^2)) at any time
    with a chance of at most ``level``. Spend since launch, summed over days, is such a motion if a customer's days are
    independent; if they go together (who buys much, keeps buying), the standardised path is smoother and each side of
    the boundary is crossed less often still (Slepian's inequality).

    Parameters
    ----------
    level : float
        Chance of ever leaving, in (0, 1).
    elapsed : float
        Days measured as a share of the days planned, above 0.

    Returns
    -------
    float
        About 3.0 at the planned end for 0.05 (a single look: 1.96), more before it.

    References
    ----------
    Robbins (1970), Statistical methods related to the law of the iterated logarithm, Ann. Math. Stat. 41.
    Howard, Ramdas, McAuliffe and Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences, Annals
    of Statistics 49, eq. 14. Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021), Time-uniform central limit theory
    and asymptotic confidence sequences, arXiv:2103.06476 (the choice of where it is tightest).

    Examples
    --------
    >>> [round(always_valid_quantile(0.05, elapsed), 2) for elapsed in (1 / 42, 0.5, 1.0, 2.0)]
    [6.14, 3.08, 3.04, 3.06]
    """
    from scipy.special import lambertw

    tightest = -float(lambertw(-(level**2) / math.e, -1).real) - 1
    time = tightest * elapsed
    return math.sqrt((1 + 1 / time) * (math.log1p(time) - 2 * math.log(level)))


def estimate_uplift(treated: Moments, control: Moments) -> Uplift | None:
    """Estimate the uplift of treated customers over the control group, adjusted by CUPED.

    Each outcome is taken less theta times the covariate, theta being the regression slope within the groups: what
    customers would have spent anyway then counts no longer as noise. The covariate lies before the launch, so the
    adjustment cannot take an effect away.

    Parameters
    ----------
    treated, control : Moments
        The two groups.

    Returns
    -------
    Uplift or None
        None if a group has fewer than two customers, or if spend does not vary.

    References
    ----------
    Deng, Xu, Kohavi and Walker (2013), Improving the sensitivity of online controlled experiments by utilizing
    pre-experiment data, WSDM.

    Examples
    --------
    >>> before_and_after = Moments(100, 12.0, 10.0, 25.0, 25.0, 20.0)
    >>> less_before = Moments(100, 10.0, 9.0, 25.0, 25.0, 20.0)
    >>> estimate = estimate_uplift(before_and_after, less_before)
    >>> round(estimate.value, 3), round(estimate.error, 3)
    (1.2, 0.424)
    """
    groups = (treated, control)
    if min(group.customers for group in groups) < 2:
        return None
    theta = slope(groups)
    spreads = [adjusted_variance(group, theta) for group in groups]
    parts = [spread / group.customers for spread, group in zip(spreads, groups, strict=True)]
    variance = sum(parts)
    if variance <= 0:
        return None
    freedom = variance**2 / sum(
        part**2 / (group.customers - 1) for part, group in zip(parts, groups, strict=True) if part > 0
    )
    value = (treated.outcome - control.outcome) - theta * (treated.covariate - control.covariate)
    weights = [group.customers - 1 for group in groups]
    pooled = sum(weight * spread for weight, spread in zip(weights, spreads, strict=True)) / sum(weights)
    same_spread = pooled * sum(1 / group.customers for group in groups)
    return Uplift(value, math.sqrt(variance), freedom, math.sqrt(max(variance, same_spread)))


def slope(groups: tuple[Moments, ...]) -> float:
    """Return CUPED's theta: the slope of outcome on covariate within the groups; 0 if the covariate is constant."""
    shared = sum((group.customers - 1) * group.covariance for group in groups)
    spread = sum((group.customers - 1) * group.covariate_variance for group in groups)
    return shared / spread if spread > 0 else 0.0


def adjusted_variance(group: Moments, theta: float) -> float:
    """Return the variance of outcome - theta x covariate in a group."""
    return max(group.outcome_variance - 2 * theta * group.covariance + theta**2 * group.covariate_variance, 0.0)


def sample_ratio_p(treated: int, control: int, control_share: float) -> float:
    """Return how likely groups as far from the planned split are by chance (chi-square test).

    Parameters
    ----------
    treated, control : int
        Customers measured.
    control_share : float
        Planned share of the control group, in (0, 1).

    Examples
    --------
    >>> round(sample_ratio_p(900, 100, 0.1), 3), sample_ratio_p(900, 200, 0.1) < 0.001
    (1.0, True)
    """
    from scipy.stats import chisquare

    total = treated + control
    if not total:
        return 1.0
    return float(chisquare([treated, control], [total * (1 - control_share), total * control_share]).pvalue)
