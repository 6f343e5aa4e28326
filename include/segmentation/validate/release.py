"""The way back out of quarantine: rows that were set aside, looked at, and found to be right after all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Engine, func, insert, select

from segmentation.catalog import QUARANTINE, SOURCE_TABLES
from segmentation.errors import NothingToRelease
from segmentation.extract.contract import KEYS
from segmentation.lake import Lake
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.validate.suites import can_be_released, why_unusable
from segmentation.warehouse import quarantine_releases

#: Between the reasons of a row that breaks several promises.
BETWEEN_REASONS = "; "


@dataclass(frozen=True)
class Release:
    """A decision that rows are right although they break a promise.

    Attributes
    ----------
    release_id : int
        Its number.
    table_name : str
        Contract name.
    data_day : date
        Day of the rows.
    broken : str
        The reason they were set aside for.
    key : str or None
        Key of the row, parts joined by ``/``; None = all rows of the day that were set aside for this reason.
    """

    release_id: int
    table_name: str
    data_day: date
    broken: str
    key: str | None


@dataclass(frozen=True)
class SetAsideRows:
    """Rows of one day and table that were set aside for the same reasons."""

    table_name: str
    data_day: date
    reason: str
    rows: int

    @property
    def releasable(self) -> bool:
        """Whether every later step could use them."""
        return not self.obstacle

    @property
    def obstacle(self) -> str:
        """Why they cannot be released, and what helps instead; empty if they can."""
        return obstacle(self.table_name, self.reason)


def obstacle(table: str, reason: str) -> str:
    """Say what of a row's reasons keeps it from being released, and what helps instead; empty if nothing does."""
    hopeless = [part for part in reason.split(BETWEEN_REASONS) if not can_be_released(table, part)]
    return f"{hopeless[0]}: {why_unusable(hopeless[0])}" if hopeless else ""


def list_quarantine(lake: Lake, day: date | None = None) -> list[SetAsideRows]:
    """List what is set aside at present, by table, day and reason.

    Parameters
    ----------
    lake : Lake
        The lake.
    day : date, optional
        Only rows of this day.
    """
    found = []
    for table in SOURCE_TABLES:
        for data_day in lake.days(QUARANTINE, table):
            file = lake.rows_file(QUARANTINE, table, data_day)
            if file.exists() and day in (None, data_day):
                reasons = pq.ParquetFile(file).read(["reason"])["reason"].to_pylist()
                names, counts = np.unique(reasons, return_counts=True)
                found += [
                    SetAsideRows(table, data_day, str(name), int(count))
                    for name, count in zip(names, counts, strict=True)
                ]
    return found


def read_quarantine(lake: Lake, table: str, day: date) -> pa.Table:
    """Return the rows of a table that are set aside for a day, with the reason of each.

    Raises
    ------
    NothingToRelease
        If there are none.
    """
    file = lake.rows_file(QUARANTINE, table, day)
    if not file.exists():
        raise NothingToRelease(table, day, "no row of it is set aside", "See `segmentation quarantine list`.")
    return pq.ParquetFile(file).read()


def release_rows(
    lake: Lake,
    warehouse: Engine,
    table: str,
    day: date,
    reason: str,
    released_by: str,
    keys: Sequence[str] = (),
) -> int:
    """Declare rows right, so that the next run takes them in.

    The next run checks their day again and calls the published days that lacked them stale.

    Parameters
    ----------
    lake : Lake
        Where the rows are.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    table : str
        Contract name.
    day : date
        Day of the rows.
    reason : str
        Why they are right, in words.
    released_by : str
        Who says so.
    keys : sequence of str
        Keys of single rows, parts joined by ``/``; all rows that can be released by default.

    Returns
    -------
    int
        Rows that the next run takes in.

    Raises
    ------
    NothingToRelease
        If no such row is set aside, or no later step could use it.
    """
    rows = read_quarantine(lake, table, day)
    reasons = rows["reason"].to_pylist()
    of_rows = keys_of(table, rows)
    if unknown := [key for key in keys if key not in of_rows]:
        raise NothingToRelease(
            table, day, f"no row with key {unknown[0]} is set aside", "See `segmentation quarantine show`."
        )
    chosen = [place for place, key in enumerate(of_rows) if not keys or key in keys]
    usable = [place for place in chosen if not obstacle(table, reasons[place])]
    if not usable or (keys and len(usable) < len(chosen)):
        hopeless = next(reasons[place] for place in chosen if place not in usable)
        raise NothingToRelease(
            table,
            day,
            f"no step could use a row with: {obstacle(table, hopeless)}",
            "When the shop or the mapping file has changed, the next run fetches the day again.",
        )
    values = {
        (broken, of_rows[place] if keys else None)
        for place in usable
        for broken in reasons[place].split(BETWEEN_REASONS)
    }
    with named_warehouse_errors(warehouse), warehouse.begin() as connection:
        connection.execute(
            insert(quarantine_releases).values(released_at=func.now()),
            [
                {
                    "table_name": table,
                    "data_day": day,
                    "broken": broken,
                    "key": key,
                    "reason": reason,
                    "released_by": released_by,
                }
                for broken, key in sorted(values, key=str)
            ],
        )
    return len(usable)


def load_releases(warehouse: Engine) -> list[Release]:
    """Return every release, in order."""
    table = quarantine_releases.c
    columns = (table.release_id, table.table_name, table.data_day, table.broken, table.key)
    with named_warehouse_errors(warehouse), warehouse.connect() as connection:
        return [Release(*row) for row in connection.execute(select(*columns).order_by(table.release_id))]


def numbers_by_day(releases: Iterable[Release]) -> dict[date, list[int]]:
    """Return day of the rows -> numbers of the releases: a day is checked again when they have changed."""
    found: dict[date, list[int]] = defaultdict(list)
    for release in releases:
        found[release.data_day].append(release.release_id)
    return found


def still_set_aside(
    table: str, rows: pa.Table, places: np.ndarray, broken: str, day_of_row: Mapping[int, date], releases: list[Release]
) -> np.ndarray:
    """Return, of the places of rows that break a promise, those that were not released.

    Parameters
    ----------
    table : str
        Contract name.
    rows : pyarrow.Table
        A batch of days.
    places : numpy.ndarray
        Places in it of the rows that break the promise.
    broken : str
        The promise's reason.
    day_of_row : mapping of int to date
        Place -> day, for those places.
    releases : list of Release
        All of them.
    """
    given = {(one.data_day, one.key) for one in releases if (one.table_name, one.broken) == (table, broken)}
    if not given or not len(places):
        return places
    keys = keys_of(table, rows.take(pa.array(places)))
    kept = [
        place
        for place, key in zip(places.tolist(), keys, strict=True)
        if not {(day_of_row[place], None), (day_of_row[place], key)} & given
    ]
    return np.asarray(kept, dtype=places.dtype)


def keys_of(table: str, rows: pa.Table) -> list[str]:
    """Return each row's key as text, parts joined by ``/``."""
    columns = [rows[key].to_pylist() for key in KEYS[table]]
    return ["/".join(map(str, parts)) for parts in zip(*columns, strict=True)]
