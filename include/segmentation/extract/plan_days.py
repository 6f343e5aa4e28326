"""Which days are fetched tonight: missing ones, changed ones, and the business day itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from segmentation.calendar import business_day_of, days_between
from segmentation.catalog import DAILY_TABLES, EVENTS, ORDERS, RAW
from segmentation.config import ExtractSettings
from segmentation.extract.contract import KEYS, TIME_COLUMNS
from segmentation.extract.fingerprints import Fingerprint, source_fingerprints
from segmentation.extract.inspect_source import SourceLayout
from segmentation.extract.source import Source, day_literals, load_sql, quote_time
from segmentation.lake import Lake

#: No web shop is older: an earlier time is a slip (year 17, year 1970) and must not stretch the history.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
#: Clocks of shop and pipeline may differ by this much before a row counts as lying in the future.
CLOCK_SKEW = timedelta(hours=1)
_PLAIN_ID = re.compile(r"-?\d+|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


@dataclass(frozen=True)
class Oddities:
    """Rows of one daily table that no business day can hold.

    Attributes
    ----------
    count
        How many there are.
    keys
        Up to ten of their keys, without those that could be personal data.
    """

    count: int
    keys: list[str]


@dataclass(frozen=True)
class Survey:
    """When the source's rows happened.

    Attributes
    ----------
    first_day
        Business day of the first order or event; None for an empty shop.
    future
        Daily table -> rows later than now.
    undated
        Daily table -> rows without a time, or with one before `EARLIEST`; they are not fetched.
    """

    first_day: date | None
    future: dict[str, Oddities]
    undated: dict[str, Oddities]


def survey_source(source: Source, layout: SourceLayout, now: datetime, timezone: str) -> Survey:
    """Find the first day of the source's history and the rows that no day can hold."""
    first: list[datetime] = []
    future: dict[str, Oddities] = {}
    undated: dict[str, Oddities] = {}
    horizon = quote_time(now + CLOCK_SKEW)
    for table in _dated_tables(layout):
        rows, time = layout.tables[table].subquery, TIME_COLUMNS[table]
        sql = load_sql("survey_times").format(rows=rows, time=time, floor=quote_time(EARLIEST), future=horizon)
        row = source.row(sql, table)
        if row["first_at"] is not None:
            first.append(row["first_at"])
        late, early = f"{time} > {horizon}", f"{time} is null or {time} < {quote_time(EARLIEST)}"
        future[table] = _oddities(source, layout, table, row["future_rows"], late)
        undated[table] = _oddities(source, layout, table, row["undated_rows"], early)
    return Survey(business_day_of(min(first), timezone) if first else None, future, undated)


def plan_days(
    source: Source,
    layout: SourceLayout,
    lake: Lake,
    day: date,
    first_day: date | None,
    settings: ExtractSettings,
    timezone: str,
) -> list[list[date]]:
    """Compare lake and source, and choose the days to fetch.

    Parameters
    ----------
    source, layout
        The open source and how to read it.
    lake : Lake
        Where fetched days are.
    day : date
        The business day D; always fetched.
    first_day : date or None
        First day of the source's history.
    settings : ExtractSettings
        ``late_days`` (days before D in which a change is looked for) and ``rows_per_query``.
    timezone : str
        IANA name of the shop's timezone.

    Returns
    -------
    list of list of date
        Days of the history up to D that the lake lacks or holds in another layout, days at most ``late_days``
        before D whose rows changed since, and D; in runs of consecutive days, oldest first, each to be fetched by
        one query per table.
    """
    kept = _kept_fingerprints(lake, layout, day)
    missing = [other for other in days_between(min(first_day or day, day), day) if other not in kept]
    compared = [other for other in sorted(kept) if day - timedelta(days=settings.late_days) <= other < day]
    changed: list[date] = []
    if compared:
        present = source_fingerprints(source, layout, compared[0], compared[-1], timezone)
        changed = [other for other in compared if kept[other] != present[other]]
    days = sorted({*missing, *changed, day})
    if len(days) == 1:
        return [days]
    return _runs(days, _estimated_rows(source, layout, days, timezone), settings.rows_per_query)


def _oddities(source: Source, layout: SourceLayout, table: str, count: int, condition: str) -> Oddities:
    key = KEYS[table][0]
    if not count or key in layout.tables[table].personal:
        return Oddities(count, [])
    sql = load_sql("list_keys").format(rows=layout.tables[table].subquery, key=key, condition=condition)
    return Oddities(count, [key for key in source.query(sql, table)["key"].to_pylist() if _is_plain_id(key)])


def _is_plain_id(key: str | None) -> bool:
    """Tell whether a key is a number or a uuid; a word may be an address or a name."""
    return key is not None and _PLAIN_ID.fullmatch(key) is not None


def _dated_tables(layout: SourceLayout) -> list[str]:
    """Return the mapped tables whose rows have a time of their own."""
    return [table for table in (ORDERS, EVENTS) if table in layout.tables]


def _kept_fingerprints(lake: Lake, layout: SourceLayout, last: date) -> dict[date, Fingerprint]:
    """Return the fingerprints of the days up to ``last`` that the lake holds whole and in the present layout."""
    kept: dict[date, Fingerprint] = {}
    for fetched, manifest in lake.day_manifests(RAW).items():
        if fetched > last:
            continue
        tables = [table for table in DAILY_TABLES if table in layout.tables]
        if manifest["layout"] == layout.digest and all(lake.has_rows(RAW, table, fetched) for table in tables):
            kept[fetched] = manifest["fingerprint"]
    return kept


def _estimated_rows(source: Source, layout: SourceLayout, days: Sequence[date], timezone: str) -> Counter[date]:
    """Return about how many rows the largest daily table has on each day from the first to the last of ``days``."""
    rows: Counter[date] = Counter()
    literals = day_literals([days[0], days[-1]], timezone)
    for table in _dated_tables(layout):
        found = layout.tables[table]
        sql = load_sql("estimate_rows").format(
            rows=found.sample,
            scale=round(1 / found.sample_share),
            time=TIME_COLUMNS[table],
            start=literals["start"],
            end=literals["end"],
        )
        rows |= Counter({part["since"].date(): part["rows"] for part in source.query(sql, table).to_pylist()})
    return rows


def _runs(days: Sequence[date], rows: Counter[date], rows_per_query: int) -> list[list[date]]:
    """Cut days into runs of consecutive ones of at most about ``rows_per_query`` rows."""
    runs: list[list[date]] = []
    total = 0
    for day in days:
        follows = bool(runs) and runs[-1][-1] + timedelta(days=1) == day
        if follows and total + rows[day] <= rows_per_query:
            runs[-1].append(day)
            total += rows[day]
        else:
            runs.append([day])
            total = rows[day]
    return runs
