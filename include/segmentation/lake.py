"""Where parquet lives, and how a file in it is replaced: whole or not at all."""

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
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

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
    """

    root: Path

    def path(self, *parts: str, day: date | None = None, **partitions: object) -> Path:
        """Return the folder of a partition.

        Examples
        --------
        >>> Lake(Path("lake")).path("raw", "orders", day=date(2017, 10, 1)).as_posix()
        'lake/raw/orders/day=2017-10-01'
        >>> Lake(Path("lake")).path("features", day=date(2017, 10, 1), bucket="03").as_posix()
        'lake/features/day=2017-10-01/bucket=03'
        """
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
        return self.path(file_set, table, day=day) / _ROWS

    def day_manifest(self, file_set: str, day: date) -> Path:
        """Return the file that says what a day's files hold; written when they are all there."""
        return self.root / file_set / _DAYS / f"{day.isoformat()}.json"

    def run_manifest(self, file_set: str, day: date) -> Path:
        """Return the file that says what the run of a day found; written when its snapshots are all there."""
        return self.root / file_set / _RUNS / f"{day.isoformat()}.json"

    def day_manifests(self, file_set: str) -> dict[date, dict[str, Any]]:
        """Read the manifests of all days of a file set, in order of the days."""
        files = sorted((self.root / file_set / _DAYS).glob("????-??-??.json"))
        return {date.fromisoformat(file.stem): json.loads(file.read_text()) for file in files}

    def days(self, *parts: str) -> list[date]:
        """List the days for which a file set has a partition, in order."""
        folder = self.root.joinpath(*parts)
        found = [
            date.fromisoformat(match.group(1))
            for child in (folder.iterdir() if folder.is_dir() else ())
            if (match := re.fullmatch(r"day=(\d{4}-\d{2}-\d{2})", child.name))
        ]
        return sorted(found)

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
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` and move it into place when the block ends well.

    The name is the process's own: a retry and the lost process that it replaces write two files, and the one
    that ends last stays, whole.

    Raises
    ------
    LakeFull
        If the disk fills up inside the block. The temporary file is removed.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_behind(target)
        temporary = target.with_name(f".{target.name}.{os.getpid()}{_TEMPORARY}")
        try:
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
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
