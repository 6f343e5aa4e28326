"""The checked rows spread over buckets of customers, kept from night to night by calendar month of the lake's days.

A month that was spread is read again only when one of its checked days has come, gone or changed. Every version of a
month lies in a folder of its own, which is never written to again (an erasure apart); the month's manifest, written
last, names the one that holds. So a writer that is killed, or two at once, leave whole months, also where nothing can
be renamed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from segmentation.catalog import CHECKED, DAILY_TABLES, EVENTS, HISTORY, ORDER_ITEMS, ORDERS
from segmentation.features.queries import bind, query, run
from segmentation.lake import Lake, content_hash, replacing

if TYPE_CHECKING:
    import duckdb

#: Counts up when the columns or the meaning of the spread files change.
_LAYOUT = 1
_MONTHS = "_months"
_FILES = "month.json"
#: Bucket of orders without a customer, and of lines that are found by their order alone.
NOBODY = -1
#: So long a night may go on reading the version of a month that another night has replaced.
_LONGEST_NIGHT = timedelta(days=1)
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
    found = []
    for name, rows in checked_days(lake).items():
        if name > f"{last_day:%Y-%m}":
            break
        kept = KeptMonth.read(lake, name)
        if kept is None or not kept.holds(rows, buckets):
            kept = _spread(connection, lake, name, rows, buckets, scratch / name, kept)
        elif kept.replaced_at and kept.replaced_at < datetime.now(UTC) - _LONGEST_NIGHT:
            lake.remove(_folder(lake, name, kept.replaced))
        found.append(Month(_folder(lake, name, kept.version)))
    return found


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
        return kept if (_folder(lake, month, kept.version) / _FILES).exists() else None

    def write(self, lake: Lake, month: str) -> None:
        """Let this version hold from now on."""
        at = self.replaced_at.isoformat() if self.replaced_at else None
        lake.write_json(asdict(self) | {"replaced_at": at}, _manifest(lake, month))

    def holds(self, rows: dict[str, dict[str, str]], buckets: int) -> bool:
        """Tell whether spreading the checked days again would give the same rows."""
        return (self.layout, self.buckets, self.rows) == (_LAYOUT, buckets, rows)


def checked_days(lake: Lake) -> dict[str, dict[str, dict[str, str]]]:
    """List month -> table -> day -> content hash of the checked files, in order of the months.

    No rows are read: the days' manifests know the hashes. Of a day without, the file's bytes are read.
    """
    manifests = lake.day_manifests(CHECKED)
    found: dict[str, dict[str, dict[str, str]]] = {}
    for table in DAILY_TABLES:
        for day in lake.days(CHECKED, table):
            file = lake.rows_file(CHECKED, table, day)
            told = manifests.get(day, {}).get("hashes", {}).get(table)
            if told or file.exists():
                of_month = found.setdefault(f"{day:%Y-%m}", {}).setdefault(table, {})
                of_month[day.isoformat()] = told or content_hash(file)
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
    version = f"{_short_hash([_LAYOUT, buckets, read])}-{uuid4().hex[:8]}"
    folder = _folder(lake, month, version)
    scratch.mkdir()
    run(connection, "create_spreading", {})
    if ORDERS in paths:
        run(connection, "insert_places", values)
    listed: dict[str, dict[str, list[str]]] = {}
    for table in paths:
        name = f"select_{_NAMES[table]}"
        selected = connection.sql(query(name), params=bind(name, values))
        selected.write_parquet(str(scratch / table), partition_by=["bucket"], overwrite=True, compression="snappy")
        listed[table] = _put_in_place(scratch / table, folder / table)
    shutil.rmtree(scratch, ignore_errors=True)
    lake.write_json(listed, folder / _FILES)
    if before and before.replaced:
        lake.remove(_folder(lake, month, before.replaced))
    replaced = (before.version, datetime.now(UTC)) if before else ("", None)
    kept = KeptMonth(version, _LAYOUT, buckets, read, *replaced)
    kept.write(lake, month)
    return kept


def _put_in_place(source: Path, target: Path) -> dict[str, list[str]]:
    """Move the files of one table into the lake, one by one, and list them by bucket."""
    listed: dict[str, list[str]] = {}
    for file in sorted(source.glob("bucket=*/*.parquet")):
        name = file.relative_to(source).as_posix()
        with replacing(target / name) as temporary:
            shutil.move(file, temporary)
        listed.setdefault(file.parent.name.removeprefix("bucket="), []).append(name)
    return listed


def _short_hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _manifest(lake: Lake, month: str) -> Path:
    return lake.path(HISTORY, _MONTHS) / f"{month}.json"


def _folder(lake: Lake, month: str, version: str) -> Path:
    return lake.path(HISTORY, month=month, version=version)
