"""The checked rows spread over buckets of customers, kept from night to night by calendar month of the lake's days.

A month that was spread is read again only when one of its checked days has come, gone or changed. Every version of a
month lies in a folder of its own, which is never written to again (an erasure apart); the month's manifest, written
last, names the one that holds. So a writer that is killed, or two at once, leave whole months, also where nothing can
be renamed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow.parquet as pq

from segmentation.catalog import CHECKED, DAILY_TABLES, EVENTS, HISTORY, ORDER_ITEMS, ORDERS
from segmentation.features.queries import bind, query, run
from segmentation.lake import Lake, content_hash, is_kept, names_in, remove, replacing

if TYPE_CHECKING:
    import duckdb

#: Counts up when the columns or the meaning of the spread files change.
_LAYOUT = 1
_MONTHS = "_months"
_FILES = "month.json"
#: Bucket of orders without a customer, and of lines that are found by their order alone.
NOBODY = -1
#: So long a night may go on reading the version of a month that another night has replaced, or writing one.
_LONGEST_NIGHT = timedelta(days=1)
#: How the names of versions begin: when they were written, in UTC; names sort as times.
_WRITTEN = "%Y%m%dT%H%M%SZ"
#: What the queries call each table.
_NAMES = {ORDERS: "orders", ORDER_ITEMS: "items", EVENTS: "events"}


@dataclass(frozen=True)
class Month:
    """One whole version of a month.

    Attributes
    ----------
    folder : Path
        Where its files are.
    """

    folder: Path

    def files(self, table: str, bucket: int | None = None) -> list[str]:
        """List the files of a table, of all buckets (`NOBODY` too) or of one; a bucket without rows has none."""
        listed: dict[str, dict[str, list[str]]] = json.loads((self.folder / _FILES).read_text())
        of_table = listed.get(table, {})
        buckets = of_table if bucket is None else [str(bucket)]
        return [str(self.folder / table / name) for one in buckets for name in of_table.get(str(one), [])]


def bring_forward(
    connection: duckdb.DuckDBPyConnection, lake: Lake, buckets: int, last_day: date, scratch: Path
) -> list[Month]:
    """Spread the months up to that of ``last_day`` which are not kept as they are now, and return all of them.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        An open database.
    lake : Lake
        Where the checked rows are and the months are kept.
    buckets : int
        Number of buckets.
    last_day : date
        A month is spread whole: also its days after this one.
    scratch : Path
        A folder on this machine for files on their way.

    Returns
    -------
    list of Month
        In order of the months.

    Raises
    ------
    LakeFull
        If the disk is full; the months that were kept stay.
    """
    before = datetime.now(UTC) - _LONGEST_NIGHT
    checked = checked_days(lake)
    for left in unused(lake, checked):
        # a killed night left it
        if left.name < f"version={before.strftime(_WRITTEN)}":
            lake.remove(left)
    found = []
    for name, rows in checked.items():
        if name > f"{last_day:%Y-%m}":
            break
        kept = KeptMonth.read(lake, name)
        if kept is None or not kept.holds(rows, buckets):
            kept = _spread(connection, lake, name, rows, buckets, scratch / name, kept)
        elif kept.replaced_at and kept.replaced_at < before:
            lake.remove(_folder(lake, name, kept.replaced))
        found.append(_month(lake, name, kept))
    return found


def kept_months(lake: Lake, last_day: date) -> list[Month]:
    """List the months up to that of ``last_day`` as they are kept, whether or not they hold what is checked now."""
    names = [name for name in checked_days(lake) if name <= f"{last_day:%Y-%m}"]
    return [_month(lake, name, kept) for name in names if (kept := KeptMonth.read(lake, name))]


@dataclass(frozen=True)
class KeptMonth:
    """A month's manifest.

    Attributes
    ----------
    version : str
        The version that holds.
    layout, buckets : int
        How its rows are spread.
    rows : dict of str to dict of str to str
        Table -> day -> content hash of the checked file that was read.
    replaced : str
        The version before, which a night may still be reading; '' if there is none.
    replaced_at : datetime or None
        Since when.
    """

    version: str
    layout: int
    buckets: int
    rows: dict[str, dict[str, str]]
    replaced: str = ""
    replaced_at: datetime | None = None

    @classmethod
    def read(cls, lake: Lake, month: str) -> KeptMonth | None:
        """Read the manifest of a month; None if there is none, or nothing of what it names."""
        file = _manifest(lake, month)
        if not file.exists():
            return None
        told = json.loads(file.read_text())
        at = told["replaced_at"]
        kept = cls(**told | {"replaced_at": datetime.fromisoformat(at) if at else None})
        return kept if is_kept(_folder(lake, month, kept.version) / _FILES) else None

    def write(self, lake: Lake, month: str) -> None:
        """Let this version hold from now on."""
        at = self.replaced_at.isoformat() if self.replaced_at else None
        lake.write_json(asdict(self) | {"replaced_at": at}, _manifest(lake, month))

    def holds(self, rows: dict[str, dict[str, str]], buckets: int) -> bool:
        """Tell whether spreading the checked days again would give the same rows."""
        return (self.layout, self.buckets, self.rows) == (_LAYOUT, buckets, rows)


def unused(lake: Lake, checked: Collection[str] | None = None) -> list[Path]:
    """List the folders that no night will read: versions that no manifest names, months without a checked day.

    A version that is being written is among them until its manifest is.

    Parameters
    ----------
    lake : Lake
        Where they are.
    checked : collection of str, optional
        The months of `checked_days`; looked up by default.
    """
    with_days = checked_days(lake) if checked is None else checked
    found = []
    for folder in (one for one in names_in(lake.place(HISTORY)) if one.startswith("month=")):
        month = folder.removeprefix("month=")
        kept = KeptMonth.read(lake, month) if month in with_days else None
        named = {_folder(lake, month, one) for one in (kept.version, kept.replaced) if one} if kept else set()
        versions = [lake.place(HISTORY, folder, name) for name in names_in(lake.place(HISTORY, folder))]
        found += [version for version in versions if version not in named]
    return found


def forget_replaced(lake: Lake) -> None:
    """Remove all versions but those that hold; no night may be under way."""
    for version in unused(lake):
        lake.remove(version)
    for file in sorted(lake.path(HISTORY, _MONTHS).glob("*.json")):
        kept = KeptMonth.read(lake, file.stem)
        if kept and kept.replaced:
            lake.remove(_folder(lake, file.stem, kept.replaced))
            replace(kept, replaced="", replaced_at=None).write(lake, file.stem)


def kept_as_checked(lake: Lake) -> dict[str, KeptMonth]:
    """Return the months that hold what is checked, so that what is done to both alike leaves them holding."""
    found = {month: (KeptMonth.read(lake, month), rows) for month, rows in checked_days(lake).items()}
    return {month: kept for month, (kept, rows) in found.items() if kept and kept.holds(rows, kept.buckets)}


def keep_on(lake: Lake, months: dict[str, KeptMonth]) -> None:
    """Let months hold what is checked now: the same was done to their rows as to those of the checked files."""
    checked = checked_days(lake)
    for month, kept in months.items():
        if checked.get(month, {}) != kept.rows:
            replace(kept, rows=checked.get(month, {})).write(lake, month)


def month_of(lake: Lake, file: Path) -> str | None:
    """Return the month whose spread rows a file holds; None of any other file.

    Examples
    --------
    >>> month_of(Lake(Path("lake")), Path("lake/history/month=2017-10/version=1/orders/bucket=0/data_0.parquet"))
    '2017-10'
    """
    history = lake.place(HISTORY)
    if not file.is_relative_to(history):
        return None
    return file.relative_to(history).parts[0].removeprefix("month=")


def forget_month(lake: Lake, month: str) -> None:
    """Remove a month, so that the next night spreads it anew."""
    remove(_manifest(lake, month))
    remove(lake.place(HISTORY, month=month))


def checked_days(lake: Lake) -> dict[str, dict[str, dict[str, str]]]:
    """List month -> table -> day -> content hash of the checked files, in order of the months.

    No rows are read: the days' manifests know the hashes. Of a day without, the file's bytes are read.
    """
    manifests = lake.day_manifests(CHECKED)
    found: dict[str, dict[str, dict[str, str]]] = {}
    for table in DAILY_TABLES:
        for day in lake.days(CHECKED, table):
            told = manifests.get(day, {}).get("hashes", {}).get(table)
            if told or lake.has_rows(CHECKED, table, day):
                of_month = found.setdefault(f"{day:%Y-%m}", {}).setdefault(table, {})
                of_month[day.isoformat()] = told or content_hash(lake.rows_file(CHECKED, table, day))
    return dict(sorted(found.items()))


def _spread(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    month: str,
    rows: dict[str, dict[str, str]],
    buckets: int,
    scratch: Path,
    before: KeptMonth | None,
) -> KeptMonth:
    """Write a version of a month, and let it hold when it is whole."""
    paths = {
        table: {day: lake.rows_file(CHECKED, table, date.fromisoformat(day)) for day in rows[table]} for table in rows
    }
    # of what is read: should a file not be what its day's manifest says, the next night spreads the month again
    read = {table: {day: content_hash(file) for day, file in paths[table].items()} for table in paths}
    values: dict[str, Any] = {"buckets": buckets}
    values |= {_NAMES[table]: [str(file) for file in files.values()] for table, files in paths.items()}
    # a name of its own: two writers of the same rows do not mix their files
    version = f"{datetime.now(UTC).strftime(_WRITTEN)}-{uuid4().hex[:8]}"
    folder = _folder(lake, month, version)
    scratch.mkdir()
    run(connection, "create_spreading", {})
    if ORDERS in paths:
        run(connection, "insert_places", values)
    listed: dict[str, dict[str, list[str]]] = {}
    for table in paths:
        rows_written = write_buckets(connection, f"select_{_NAMES[table]}", values, scratch / table)
        listed[table], rows_placed = _put_in_place(scratch / table, folder / table)
        if rows_placed != rows_written:
            raise FileNotFoundError(f"files of {scratch / table} were removed before they were in place; try again")
    shutil.rmtree(scratch, ignore_errors=True)
    lake.write_json(listed, folder / _FILES)
    if before and before.replaced:
        lake.remove(_folder(lake, month, before.replaced))
    replaced = (before.version, datetime.now(UTC)) if before else ("", None)
    kept = KeptMonth(version, _LAYOUT, buckets, read, *replaced)
    kept.write(lake, month)
    return kept


def write_buckets(connection: duckdb.DuckDBPyConnection, name: str, values: dict[str, Any], folder: Path) -> int:
    """Write the rows of ``<name>.sql`` into a folder of this machine, by their column ``bucket``; return how many."""
    options = "format parquet, partition_by (bucket), overwrite, compression snappy"
    copy = f"copy ({query(name)}) to $folder ({options})"
    [(rows,)] = connection.execute(copy, bind(name, values) | {"folder": str(folder)}).fetchall()
    return int(rows)


def _put_in_place(source: Path, target: Path) -> tuple[dict[str, list[str]], int]:
    """Move the files of one table into the lake, one by one; list them by bucket, and count their rows."""
    listed: dict[str, list[str]] = {}
    rows = 0
    for file in sorted(source.glob("bucket=*/*.parquet")):
        name = file.relative_to(source).as_posix()
        rows += pq.read_metadata(file).num_rows
        with replacing(target / name) as temporary:
            shutil.move(file, temporary)
        listed.setdefault(file.parent.name.removeprefix("bucket="), []).append(name)
    return listed, rows


def _manifest(lake: Lake, month: str) -> Path:
    return lake.path(HISTORY, _MONTHS) / f"{month}.json"


def _month(lake: Lake, month: str, kept: KeptMonth) -> Month:
    return Month(lake.path(HISTORY, month=month, version=kept.version))


def _folder(lake: Lake, month: str, version: str) -> Path:
    return lake.place(HISTORY, month=month, version=version)
