"""Business days: the half-open interval that day D means, in the shop's timezone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from segmentation.errors import FutureBusinessDay, InvalidSetting


@dataclass(frozen=True)
class Interval:
    """A half-open interval ``[start, end)`` of instants in UTC."""

    start: datetime
    end: datetime


def shop_timezone(name: str) -> ZoneInfo:
    """Look a timezone up by its IANA name.

    Raises
    ------
    InvalidSetting
        If the name is no IANA timezone.

    Examples
    --------
    >>> shop_timezone("Europe/Berlin").key
    'Europe/Berlin'
    >>> shop_timezone("Berlin")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    segmentation.errors.InvalidSetting: setting timezone is 'Berlin': not an IANA timezone name. Use one like ...
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidSetting(
            "timezone", name, "not an IANA timezone name. Use one like Europe/Berlin or America/New_York."
        ) from error


def day_interval(day: date, timezone: str) -> Interval:
    """Return the instants that belong to one business day.

    Parameters
    ----------
    day : date
        The business day, in the shop's timezone.
    timezone : str
        IANA name.

    Returns
    -------
    Interval
        ``[day 00:00, next day 00:00)`` local time, as UTC. 23 or 25 hours long when the clocks change.

    Examples
    --------
    >>> spring = day_interval(date(2026, 3, 29), "Europe/Berlin")
    >>> spring.end - spring.start
    datetime.timedelta(seconds=82800)
    """
    zone = shop_timezone(timezone)
    start = datetime.combine(day, time.min, tzinfo=zone)
    end = datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone)
    return Interval(start.astimezone(UTC), end.astimezone(UTC))


def business_day_of(instant: datetime, timezone: str) -> date:
    """Return the business day that an instant (timezone-aware) falls on.

    Examples
    --------
    >>> business_day_of(datetime(2017, 10, 1, 3, 59, tzinfo=UTC), "America/New_York")
    datetime.date(2017, 9, 30)
    """
    return instant.astimezone(shop_timezone(timezone)).date()


def require_past(day: date, now: datetime, timezone: str) -> None:
    """Refuse a business day that is not over yet.

    Parameters
    ----------
    day : date
        The business day asked for.
    now : datetime
        The present instant, timezone-aware.
    timezone : str
        IANA name of the shop's timezone.

    Raises
    ------
    FutureBusinessDay
        If ``day`` has not ended at ``now``.
    """
    if now < day_interval(day, timezone).end:
        raise FutureBusinessDay(day, business_day_of(now, timezone) - timedelta(days=1))


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield every day from ``first`` to ``last``, both included.

    Examples
    --------
    >>> [d.day for d in days_between(date(2017, 2, 27), date(2017, 3, 1))]
    [27, 28, 1]
    """
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)
