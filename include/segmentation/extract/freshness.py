"""Is the business day complete in the source? What the night waits for before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import nan
from typing import Literal

from segmentation.calendar import day_interval, require_past, shop_timezone
from segmentation.catalog import ORDERS
from segmentation.config import Settings
from segmentation.errors import SourceBehind
from segmentation.extract.contract import CHANGE_COLUMNS, TIME_COLUMNS
from segmentation.extract.inspect_source import SourceLayout, inspect_source
from segmentation.extract.mapping import load_mapping
from segmentation.extract.source import Source, day_literals, load_sql, open_source, quote_time

#: Days before the newest row whose mean tells how many orders a day usually has.
_USUAL_DAYS = 28
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Freshness:
    """What one look at the source found.

    Attributes
    ----------
    state
        ``ready``: the day can be extracted; ``waiting``: look again later.
    newest
        Local time of the newest order or event; ``never`` for an empty shop.
    message
        Why, and until when, in words.
    hours_past
        Hours by which that row is later than the end of the day; NaN for an empty shop.
    """

    state: Literal["ready", "waiting"]
    newest: str
    message: str
    hours_past: float = nan


@dataclass(frozen=True)
class _Look:
    newest_at: datetime | None
    day_has_rows: bool


def assess_freshness(
    settings: Settings, day: date, source_url: str, now: datetime, accept_unusual_day: bool = False
) -> Freshness:
    """Tell whether the source holds all of business day ``day``.

    It does once an order or event is newer than the day. A shop that sleeps after midnight is given until
    ``extract.ready_hour`` (local time of the day after): from then on rows of the day itself suffice. Rows later
    than ``now`` are not looked at: a single wrong clock must not make a day look complete.

    Parameters
    ----------
    settings : Settings
        Timezone, ``extract`` and ``checks.empty_day_expected_rows``.
    day : date
        The business day D, in the shop's timezone.
    source_url : str
        ``postgresql://role:password@host:port/database``.
    now : datetime
        The present instant, timezone-aware.
    accept_unusual_day : bool
        Whether a day without a single row is to be believed once waiting ends.

    Returns
    -------
    Freshness

    Raises
    ------
    SourceBehind
        At or after ``extract.give_up_hour`` of the day after, if there is neither a newer row nor one of the day,
        such a day is not usual for the shop, and it is not accepted.
    FutureBusinessDay
        If D is not over.
    InvalidMapping, MissingTable, MissingColumn, ChangedType, PermissionMissing
        If mapping file and source do not fit together.
    LoginRefused, DatabaseUnreachable, SourceTooSlow
        If the source does not answer, or not in time.
    """
    require_past(day, now, settings.timezone)
    mapping = load_mapping(settings.extract.mapping)
    with open_source(settings.extract, source_url) as source:
        layout = inspect_source(source, mapping, settings.timezone)
        look = _look(source, layout, day, now, settings.timezone)
        usual = _usual_orders(source, layout, look.newest_at) if look.newest_at is not None else None
    newest = _local(look.newest_at, settings.timezone) if look.newest_at is not None else "never"
    past = nan if look.newest_at is None else (look.newest_at - day_interval(day, settings.timezone).end) / _HOUR
    if look.newest_at is not None and look.newest_at >= day_interval(day, settings.timezone).end:
        return Freshness("ready", newest, f"the source goes past the end of {day}: its newest row is of {newest}", past)
    give_up = _hour_after(day, settings.extract.give_up_hour, settings.timezone)
    enough = min(_hour_after(day, settings.extract.ready_hour, settings.timezone), give_up)
    if look.day_has_rows and now >= enough:
        return Freshness(
            "ready", newest, f"the source has rows of {day}, and it is past {_local(enough, settings.timezone)}", past
        )
    if now < give_up:
        until = enough if look.day_has_rows else give_up
        return Freshness(
            "waiting",
            newest,
            f"waiting for rows past the end of {day}, until {_local(until, settings.timezone)}; newest row: {newest}",
            past,
        )
    if accept_unusual_day:
        return Freshness("ready", newest, f"no rows of {day} or later; accepted as an unusual day", past)
    expected = settings.checks.empty_day_expected_rows
    if usual is not None and usual <= expected:
        return Freshness(
            "ready", newest, f"no rows of {day} or later, which is usual for a shop of {usual:.1f} orders a day", past
        )
    raise SourceBehind(day, newest, _local(give_up, settings.timezone), past)


def _look(source: Source, layout: SourceLayout, day: date, now: datetime, timezone: str) -> _Look:
    newest: list[datetime] = []
    has_rows = False
    for table in CHANGE_COLUMNS:
        if table not in layout.tables:
            continue
        sql = load_sql("newest_rows").format(
            rows=layout.tables[table].subquery,
            time=TIME_COLUMNS[table],
            now=quote_time(now),
            **day_literals([day], timezone),
        )
        row = source.row(sql, table)
        has_rows = has_rows or row["day_has_rows"]
        if row["newest_at"] is not None:
            newest.append(row["newest_at"])
    return _Look(max(newest, default=None), has_rows)


def _usual_orders(source: Source, layout: SourceLayout, newest_at: datetime) -> float:
    """Return the mean orders a day of the weeks before the newest row."""
    sql = load_sql("count_recent_orders").format(
        orders=layout.tables[ORDERS].subquery,
        start=quote_time(newest_at - timedelta(days=_USUAL_DAYS)),
        end=quote_time(newest_at),
    )
    return float(source.row(sql, ORDERS)["orders"]) / _USUAL_DAYS


def _hour_after(day: date, hour: int, timezone: str) -> datetime:
    """Return ``hour`` o'clock of the day after ``day``, local time."""
    return datetime.combine(day + timedelta(days=1), time(hour), tzinfo=shop_timezone(timezone))


def _local(instant: datetime, timezone: str) -> str:
    return f"{instant.astimezone(shop_timezone(timezone)):%Y-%m-%d %H:%M} {timezone}"
