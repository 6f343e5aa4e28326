"""Which business day a run is about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from segmentation.calendar import business_day_of
from segmentation.errors import InvalidSetting

_REMEDY = "write the day as YYYY-MM-DD."


def business_day(
    partition_key: str | None, param: str | None, logical_date: datetime | None, asked: datetime, timezone: str
) -> date:
    """Return the business day of a run.

    Parameters
    ----------
    partition_key : str or None
        The run's partition key, ``YYYY-MM-DD``: what scheduled and backfilled runs have. It wins.
    param : str or None
        The `business_day` of the form, ``YYYY-MM-DD``; comes second.
    logical_date : datetime or None
        The run's logical date, timezone-aware; comes third. Midnight UTC is how Airflow writes a plain
        date, so it means that date; any other instant means the day it falls on in the shop. A run
        triggered "now" has a day that is not over: then the day before is meant.
    asked : datetime
        When the run was asked for, timezone-aware: the same for every task of the run, whenever it runs.
    timezone : str
        IANA name of the shop's timezone.

    Returns
    -------
    date
        Yesterday in the shop if nothing was given.

    Raises
    ------
    InvalidSetting
        If the key or the param is no date.

    Examples
    --------
    >>> night = datetime(2017, 10, 5, 8, tzinfo=UTC)
    >>> business_day("2017-10-01", None, None, night, "America/New_York")
    datetime.date(2017, 10, 1)
    >>> business_day(None, None, datetime(2017, 10, 2, tzinfo=UTC), night, "America/New_York")
    datetime.date(2017, 10, 2)
    >>> business_day(None, None, None, night, "America/New_York")
    datetime.date(2017, 10, 4)
    >>> business_day("2017-10-01T00", None, None, night, "America/New_York")
    Traceback (most recent call last):
    ...
    segmentation.errors.InvalidSetting: setting partition_key is '2017-10-01T00': write the day as YYYY-MM-DD.
    """
    for name, text in (("partition_key", partition_key), ("business_day", param)):
        if text:
            return _parsed(name, text)
    today = business_day_of(asked, timezone)
    if logical_date is not None:
        instant = logical_date.astimezone(UTC)
        is_plain_date = instant.time() == datetime.min.time()
        day = instant.date() if is_plain_date else business_day_of(instant, timezone)
        if day != today:
            return day
    return today - timedelta(days=1)


def _parsed(name: str, text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise InvalidSetting(name, text, _REMEDY) from error
