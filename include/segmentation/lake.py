"""Where parquet lives, and how a file in it is replaced: whole or not at all.

The lake is a folder, or this worker's copy of a bucket (`segmentation.bucket`); for whoever uses it there is no
difference. `Lake.path`, `Lake.rows_file` and the manifests' functions see to it that what they name is here.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from segmentation.bucket import SCRATCH, Bucket, bucket_of
from segmentation.errors import LakeFull

#: Every table's rows of a day are one file of this name.
_ROWS = "rows.parquet"
_DAYS, _RUNS = "_days", "_runs"
_TEMPORARY = ".tmp"


@dataclass(frozen=True)
class Lake:
    """A tree of parquet files in hive-style partitions under one root.

    A file is written beside its place under its writer's own temporary name and moved into it, so a reader
    sees the old file or the new one, two writers never mix one file, and what a killed writer left is
    removed by the next attempt.

    Attributes
    ----------
    root : Path
        Its folder.
    bucket : Bucket, optional
        What the folder is a copy of.
    """

    root: Path
    bucket: Bucket | None = None

    def refresh(self) -> None:
        """See what other workers have written since; called where a step begins. Nothing to do for a folder.

        Raises
        ------
        LakeUnreachable, LakeRefused
            If the bucket does not answer, or lets nobody in.
        LakeFull
            If the disk under the copy is full.
        """
        if self.bucket:
            with _named_full_disk(self.root):
                self.bucket.refresh()

    @property
    def requests(self) -> dict[str, int]:
        """Requests to the bucket by kind, of this process; none for a folder."""
        return dict(self.bucket.requests) if self.bucket else {}

    @property
    def scratch(self) -> Path:
        """Folder of what a step needs only while it works; of a lake in a bucket, too, it is on this worker alone."""
        return self.root / SCRATCH

    def path(self, *parts: str, day: date | None = None, **partitions: object) -> Path:
        """Return the folder of a partition, with all that is in it.

        Examples
        --------
        >>> Lake(Path("lake")).path("raw", "orders", day=date(2017, 10, 1)).as_posix()
        'lake/raw/orders/day=2017-10-01'
        >>> Lake(Path("lake")).path("features", day=date(2017, 10, 1), bucket="03").as_posix()
        'lake/features/day=2017-10-01/bucket=03'
        """
        return brought(self.place(*parts, day=day, **partitions))

    def place(self, *parts: str, day: date | None = None, **partitions: object) -> Path:
        """Return the folder of a partition without a look at what is in it: to remove it, or to tell its age."""
        folder = self.root.joinpath(*parts)
        if day is not None:
            folder = folder / f"day={day.isoformat()}"
        for name, value in partitions.items():
            folder = folder / f"{name}={value}"
        return folder

    def rows_file(self, file_set: str, table: str, day: date) -> Path:
        """Return the file that holds a table's rows of a day.

        Examples
        --------
        >>> Lake(Path("lake")).rows_file("raw", "orders", date(2017, 10, 1)).as_posix()
        'lake/raw/orders/day=2017-10-01/rows.parquet'
        """
        return brought(self._rows(file_set, table, day), with_its_table=True)

    def has_rows(self, file_set: str, table: str, day: date) -> bool:
        """Tell whether there is a file that holds a table's rows of a day."""
        return is_kept(self._rows(file_set, table, day))

    def _rows(self, file_set: str, table: str, day: date) -> Path:
        return self.place(file_set, table, day=day) / _ROWS

    def day_manifest(self, file_set: str, day: date) -> Path:
        """Return the file that says what a day's files hold; written when they are all there."""
        return self.path(file_set, _DAYS) / f"{day.isoformat()}.json"

    def run_manifest(self, file_set: str, day: date) -> Path:
        """Return the file that says what the run of a day found; written when its snapshots are all there."""
        return self.path(file_set, _RUNS) / f"{day.isoformat()}.json"

    def day_manifests(self, file_set: str) -> dict[date, dict[str, Any]]:
        """Read the manifests of all days of a file set, in order of the days."""
        files = sorted(self.path(file_set, _DAYS).glob("????-??-??.json"))
        return {date.fromisoformat(file.stem): json.loads(file.read_text()) for file in files}

    def days(self, *parts: str) -> list[date]:
        """List the days for which a file set has a partition, in order."""
        named = (re.fullmatch(r"day=(\d{4}-\d{2}-\d{2})", name) for name in names_in(self.place(*parts)))
        return sorted(date.fromisoformat(match.group(1)) for match in named if match)

    def write_table(self, table: pa.Table, target: Path) -> int:
        """Replace one parquet file by ``table`` (zstd) and return its size in bytes.

        Raises
        ------
        LakeFull
            If the disk is full; the file that was there before is untouched.
        """
        with replacing(target) as temporary:
            pq.write_table(table, temporary, compression="zstd")
        return target.stat().st_size

    def write_json(self, content: Any, target: Path) -> None:
        """Replace one JSON file; keys sorted, so equal content gives equal bytes."""
        with replacing(target) as temporary:
            temporary.write_text(json.dumps(content, indent=1, sort_keys=True, default=str) + "\n")

    def remove(self, folder: Path) -> None:
        """Remove a partition folder, if it is there."""
        remove(folder)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` and move it into place when the block ends well.

    The name is the process's own: a retry and the lost process that it replaces write two files, and the one
    that ends last stays, whole. In a bucket, too, the object is replaced by this.

    Raises
    ------
    LakeFull
        If the disk fills up inside the block. The temporary file is removed.
    LakeUnreachable, LakeRefused
        If the bucket takes nothing. The object that was there before is untouched.
    """
    bucket = bucket_of(target)
    with _named_full_disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_behind(target)
        temporary = target.with_name(f".{target.name}.{os.getpid()}{_TEMPORARY}")
        try:
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            if bucket:
                bucket.put(temporary, target)
            else:
                temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there; from the bucket too, if the path is of its copy."""
    if bucket := bucket_of(path):
        bucket.remove(path)
    elif path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def brought(path: Path, *, with_its_table: bool = False, anew: bool = False) -> Path:
    """Return a path, and see to it that the file, or all files of the folder, are here.

    Parameters
    ----------
    path : Path
        File or folder; one that is no copy from a bucket is returned as it is.
    with_its_table : bool
        A file ``…/table/day=D/rows``: who has listed the table's days is going to read them all: bring all.
    anew : bool
        Ask the bucket again what it has there, for a process that answers for longer than a step.
    """
    if bucket := bucket_of(path):
        with _named_full_disk(path):
            if anew:
                bucket.refresh(path)
            if with_its_table:
                bucket.bring_one_of(path, path.parent.parent)
            else:
                bucket.bring(path)
    return path


def is_kept(file: Path) -> bool:
    """Tell whether a file is there, without bringing it here."""
    bucket = bucket_of(file)
    return bucket.has(file) if bucket else file.is_file()


def names_in(folder: Path) -> list[str]:
    """Name the files and folders directly in a folder, without bringing them here; none if it is not there."""
    if bucket := bucket_of(folder):
        return bucket.names(folder)
    return sorted(child.name for child in folder.iterdir()) if folder.is_dir() else []


def measure(path: Path) -> tuple[int, datetime]:
    """Return the bytes of a file or folder, and when it was last changed, without bringing it here."""
    if bucket := bucket_of(path):
        return bucket.measure(path)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files), datetime.fromtimestamp(path.stat().st_mtime, UTC)


@contextmanager
def _named_full_disk(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LakeFull(target, shutil.disk_usage(_nearest_existing(target)).free) from error
        raise


def content_hash(*paths: Path) -> str:
    """Return the SHA-256 (hex) of the bytes of files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def remove_left_behind(root: Path) -> None:
    """Remove every temporary file below a folder whose writer is no longer running."""
    for left in root.rglob(f".*{_TEMPORARY}"):
        writer = left.name.removesuffix(_TEMPORARY).rpartition(".")[2]
        if left.is_file() and writer.isdecimal() and not _is_running(int(writer)):
            left.unlink(missing_ok=True)


def _remove_left_behind(target: Path) -> None:
    """Remove what writers of ``target`` that are no longer running left beside it."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*{_TEMPORARY}"):
        writer = left.name.removeprefix(f".{target.name}.").removesuffix(_TEMPORARY)
        if writer.isdecimal() and not _is_running(int(writer)):
            left.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # somebody else's process
        return True
    return True


def _nearest_existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
