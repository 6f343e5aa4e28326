"""Decide what may go: a list of files and folders with reasons, from the policy and from what the ledger needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, func, select

from segmentation import runs
from segmentation.catalog import (
    CHECKED,
    FEATURES,
    HISTORY,
    NO_MODEL,
    OUTLOOK,
    QUARANTINE,
    RAW,
    SEGMENTATIONS,
    SNAPSHOT_TABLES,
    SOURCE_TABLES,
)
from segmentation.config import Settings
from segmentation.encoder.registry import stored_versions
from segmentation.features.months import unused
from segmentation.lake import measure, names_in
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import downloads

#: A run that has been running or held for longer than this waits for nobody any more.
_WAITING = timedelta(days=7)
#: What was written so lately may be of a night that is under way, also one that is run again.
_NIGHT = timedelta(days=2)
MODELS = "models"


@dataclass(frozen=True)
class Removal:
    """Something that may go.

    Attributes
    ----------
    what : str
        Kind of thing: ``features``, ``models`` …
    path : Path
        File or folder.
    size : int
        Bytes.
    reason : str
        Why, in words.
    """

    what: str
    path: Path
    size: int
    reason: str


@dataclass
class Plan:
    """What would go, and what the policy was counted from.

    Attributes
    ----------
    newest : date or None
        Newest published day; None = nothing is published, and nothing goes.
    removals : list of Removal
        Files and folders.
    downloads : int
        Rows of `ops.downloads` older than the policy.
    """

    newest: date | None
    removals: list[Removal] = field(default_factory=list)
    downloads: int = 0

    @property
    def models(self) -> list[str]:
        """Versions of the models among them."""
        return [one.path.name for one in self.removals if one.what == MODELS]

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return per kind how many there are and their bytes together."""
        found: dict[str, tuple[int, int]] = {}
        for one in self.removals:
            count, size = found.get(one.what, (0, 0))
            found[one.what] = (count + 1, size + one.size)
        return found


@dataclass(frozen=True)
class _Needed:
    """Days, segmentations and models that stay, whatever their age."""

    days: frozenset[date]
    segmentations: frozenset[tuple[date, str]]
    models: frozenset[str]


def plan_removal(settings: Settings, warehouse: Engine, now: datetime, logs: list[Path] | None = None) -> Plan:
    """List what the policy has outlived and no backfill within it needs.

    Days are counted back from the newest published day, so that a shop that has closed keeps its last state. The
    history itself (raw and checked orders, items and events) is never listed: every night is made from all of it.

    Parameters
    ----------
    settings : Settings
        The policy and the folders.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    now : datetime
        The present instant, timezone-aware.
    logs : list of Path, optional
        Folders of log files, whose age counts from the present.

    Returns
    -------
    Plan
    """
    policy = settings.housekeeping
    settings.lake.refresh()
    with named_warehouse_errors(warehouse), warehouse.connect() as connection:
        newest = runs.newest_published(connection)
        old_downloads = downloads.c.at < now - timedelta(days=policy.downloads_days)
        plan = Plan(newest, downloads=connection.scalar(select(func.count()).where(old_downloads)) or 0)
    if newest is not None:
        needed = _needed(settings, warehouse, newest, now)
        plan.removals += _working_files(settings, newest, needed)
        plan.removals += _segmentations(settings, newest, needed)
        plan.removals += _quarantine(settings, newest)
        plan.removals += _pages(settings, newest)
        plan.removals += [
            _removal(MODELS, settings.models / version, "no night that can be run again goes on from it")
            for version in stored_versions(settings.models)
            if version not in needed.models
        ]
    plan.removals += _old_files("logs", logs or [], now - timedelta(days=policy.logs_days))
    plan.removals += [
        _removal(HISTORY, folder, "another spread of the month's rows took its place, or a killed night left it")
        for folder in unused(settings.lake)
    ]
    scratch = settings.lake.scratch
    plan.removals += [
        _removal("scratch", folder, "a killed night left it")
        for folder in (sorted(scratch.iterdir()) if scratch.is_dir() else [])
    ]
    plan.removals = [one for one in plan.removals if measure(one.path)[1] < now - _NIGHT]
    return plan


def _needed(settings: Settings, warehouse: Engine, newest: date, now: datetime) -> _Needed:
    """Return what the nights within the policy are, what the oldest of them builds on, and what waits for somebody."""
    table = runs.runs.c
    oldest = newest - timedelta(days=settings.housekeeping.backfill_days)
    with named_warehouse_errors(warehouse), warehouse.connect() as connection:
        base = connection.scalar(
            select(func.max(table.business_day)).where(table.status == runs.PUBLISHED, table.business_day < oldest)
        )
        nights = connection.execute(
            select(table.business_day, table.segmentation_version, table.model_version).where(
                table.status == runs.PUBLISHED, table.business_day >= (base or oldest)
            )
        ).all()
        waiting = connection.scalars(
            select(table.business_day).where(
                table.status.in_((runs.RUNNING, runs.HELD)), table.started_at > now - _WAITING
            )
        ).all()
    in_use = {version for version, day in stored_versions(settings.models).items() if day in waiting or day > newest}
    return _Needed(
        frozenset(waiting),
        frozenset((night.business_day, night.segmentation_version) for night in nights),
        frozenset({night.model_version for night in nights if night.model_version != NO_MODEL} | in_use),
    )


def _working_files(settings: Settings, newest: date, needed: _Needed) -> Iterator[Removal]:
    """List what a night is made with and what the next run of its day makes again."""
    lake, days = settings.lake, settings.housekeeping.working_days
    places = [
        (FEATURES,),
        (OUTLOOK,),
        *((file_set, table) for file_set in (RAW, CHECKED) for table in SNAPSHOT_TABLES),
    ]
    for place in places:
        for day in lake.days(*place):
            if day < newest - timedelta(days=days) and day not in needed.days:
                yield _removal(place[-1], lake.place(*place, day=day), f"older than {days} days; a run makes it again")


def _segmentations(settings: Settings, newest: date, needed: _Needed) -> Iterator[Removal]:
    lake, limit = settings.lake, settings.housekeeping.working_days
    for day in lake.days(SEGMENTATIONS):
        if day > newest or day in needed.days:
            continue
        place = lake.place(SEGMENTATIONS, day=day)
        for folder in [place / name for name in names_in(place) if name.startswith("version=")]:
            if (day, folder.name.removeprefix("version=")) in needed.segmentations:
                continue
            if day < newest - timedelta(days=limit):
                yield _removal("segmentations", folder, "not published, or no night that can be run again builds on it")


def _quarantine(settings: Settings, newest: date) -> Iterator[Removal]:
    lake, days = settings.lake, settings.housekeeping.quarantine_days
    for table in SOURCE_TABLES:
        for day in lake.days(QUARANTINE, table):
            if day < newest - timedelta(days=days):
                yield _removal("quarantine", lake.place(QUARANTINE, table, day=day), f"older than {days} days")


def _pages(settings: Settings, newest: date) -> Iterator[Removal]:
    days = settings.housekeeping.pages_days
    for what, folder in (("data_docs", settings.data_docs), ("reports", settings.reports)):
        pages = [folder / name for name in names_in(folder) if re.match(r"\d{4}-\d{2}-\d{2}", name)]
        for page in pages:
            if date.fromisoformat(page.name[:10]) < newest - timedelta(days=days):
                yield _removal(what, page, f"older than {days} days")


def _old_files(what: str, folders: list[Path], before: datetime) -> Iterator[Removal]:
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not file.is_symlink() and _changed(file) < before:
                yield _removal(what, file, f"not written to since {before:%Y-%m-%d}")


def _removal(what: str, path: Path, reason: str) -> Removal:
    return Removal(what, path, measure(path)[0], reason)


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
