"""Why each segment's revenue changed since the night before: customers x orders per customer x basket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from sqlalchemy import Connection, select

from segmentation.publish.profiles import is_few
from segmentation.warehouse import segment_profiles

_READ = ("segment_id", "customers", "orders_28d", "revenue_28d")


@dataclass(frozen=True)
class Trade:
    """What a segment was, and what it bought, on one night.

    Attributes
    ----------
    customers : int
        Customers in the segment.
    orders : int
        Their orders of 28 days.
    cents : int
        Net revenue of these orders, in cents; 0 without orders.
    """

    customers: int
    orders: int
    cents: int


NOTHING = Trade(0, 0, 0)


def decompose(before: Trade, after: Trade) -> tuple[int, int, int]:
    """Split a change of revenue into those of its three factors, to the cent.

    Revenue = customers x orders per customer x revenue per order. Each factor gets the mean of what its change does
    over the six orders in which the three may change one after another (its Shapley value), which leaves no residual
    and does not depend on an order of the factors. A factor that a night does not have (orders per customer
    without customers, revenue per order without orders) is taken as it is on the other night, so that it explains
    nothing. The fractions of cents go to the factors with the largest ones.

    Parameters
    ----------
    before, after : Trade
        The segment on both nights.

    Returns
    -------
    tuple of int
        Cents by customers, by frequency and by basket; their sum is ``after.cents - before.cents``.

    References
    ----------
    L. S. Shapley, "A value for n-person games", 1953; for changes of a product: J. Albrecht, D. François and
    K. Schoors, "A Shapley decomposition of carbon emissions without residuals", Energy Policy 30 (2002), 727-736.

    Examples
    --------
    Twice the customers, who order as often as before, for the same:

    >>> decompose(Trade(10, 20, 40_00), Trade(20, 40, 80_00))
    (4000, 0, 0)

    A segment that was not there before, and one that stops buying:

    >>> decompose(NOTHING, Trade(3, 4, 50_00)), decompose(Trade(3, 4, 50_00), Trade(3, 0, 0))
    ((5000, 0, 0), (0, -5000, 0))
    """
    frequencies = _both(before.orders, before.customers, after.orders, after.customers)
    baskets = _both(before.cents, before.orders, after.cents, after.orders)
    factors = [(Fraction(before.customers), Fraction(after.customers)), frequencies, baskets]
    shares = []
    for place, (earlier, later) in enumerate(factors):
        (a0, a1), (b0, b1) = (factor for other, factor in enumerate(factors) if other != place)
        shares.append((later - earlier) * ((a0 * b0 + a1 * b1) / 3 + (a0 * b1 + a1 * b0) / 6))
    by_customers, by_frequency, by_basket = _whole(shares, after.cents - before.cents)
    return by_customers, by_frequency, by_basket


def bridge_revenue(
    connection: Connection, day: date, base_day: date | None, profiles: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Explain each segment's change of revenue since the published day that this one built on.

    Parameters
    ----------
    connection : Connection
        The warehouse; the profiles of ``base_day`` are read, so that the figures before are those that marketing saw.
    day : date
        Business day.
    base_day : date, optional
        Day that it built on; None on the first night.
    profiles : sequence of mapping
        Tonight's rows of `marts.segment_profiles`.

    Returns
    -------
    list of dict
        Rows of `marts.segment_revenue_bridge`, by segment: one for each that has a profile on either day, and on
        neither fewer customers than may be described; none on the first night.
    """
    if base_day is None:
        return []
    columns = [segment_profiles.c[name] for name in _READ]
    earlier = connection.execute(select(*columns).where(segment_profiles.c.as_of == base_day)).mappings()
    told = [dict(row) for row in earlier]
    few = {profile["segment_id"] for profile in [*told, *profiles] if is_few(profile)}
    before, after = _by_segment(told, few), _by_segment(profiles, few)
    rows = []
    for segment in sorted(before.keys() | after.keys()):
        then, now = before.get(segment, NOTHING), after.get(segment, NOTHING)
        by_customers, by_frequency, by_basket = decompose(then, now)
        rows.append(
            {
                "as_of": day,
                "segment_id": segment,
                "compared_to": base_day,
                "revenue_28d_before": _money(then.cents),
                "revenue_28d_after": _money(now.cents),
                "by_customers": _money(by_customers),
                "by_frequency": _money(by_frequency),
                "by_basket": _money(by_basket),
            }
        )
    return rows


def _by_segment(profiles: Sequence[Mapping[str, Any]], few: set[int]) -> dict[int, Trade]:
    return {
        row["segment_id"]: Trade(row["customers"], row["orders_28d"], int(row["revenue_28d"] * 100))
        for row in profiles
        if row["segment_id"] not in few
    }


def _both(part: int, whole: int, later_part: int, later_whole: int) -> tuple[Fraction, Fraction]:
    """Return a ratio on both nights; where it has no meaning it is that of the other night (0 if on neither)."""
    earlier = Fraction(part, whole) if whole else None
    later = Fraction(later_part, later_whole) if later_whole else None
    known = next((ratio for ratio in (earlier, later) if ratio is not None), Fraction(0))
    return (known if earlier is None else earlier, known if later is None else later)


def _whole(shares: Sequence[Fraction], total: int) -> list[int]:
    """Round shares that add up to ``total`` so that they still do; of equal fractions the first is rounded up."""
    cents = [floor(share) for share in shares]
    largest = sorted(range(len(shares)), key=lambda place: (cents[place] - shares[place], place))
    for place in largest[: total - sum(cents)]:
        cents[place] += 1
    return cents


def _money(cents: int) -> Decimal:
    return Decimal(cents) / 100
