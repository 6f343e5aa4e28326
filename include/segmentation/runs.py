"""The ledger `ops.runs`: what ran, what it built on, and whether it still stands.

A published day stays published while it is run again: marketing is served its labels until the new run
publishes, so a run that fails or is held never takes the status from labels that are still in the marts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert

from segmentation.catalog import CHECKED, FEATURES, NIGHTLY_DAG, RAW
from segmentation.lake import Lake
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import runs

RUNNING = "running"
PUBLISHED = "published"
HELD = "held"
FAILED = "failed"
SUPERSEDED = "superseded"


@dataclass(frozen=True)
class PublishedNight:
    """A published day: what a later day takes its ids, its hysteresis and its warm start from."""

    business_day: date
    run_id: str
    model_version: str
    segmentation_version: str


@dataclass(frozen=True)
class StaleDay:
    """A published day that a re-run would change, and why in words.

    Attributes
    ----------
    business_day : date
        The day.
    reason : str
        What changed since it was published.
    by_chain : bool
        True if the days before it changed (published later, or with another result); False if all that
        happened is that late rows arrived, for this day or for one that it builds on.
    """

    business_day: date
    reason: str
    by_chain: bool


def start_run(engine: Engine, run_id: str, day: date, now: datetime) -> None:
    """Enter a run as running; a second start (a cleared or retried run) begins it anew.

    Parameters
    ----------
    engine : Engine
        The warehouse, as `segmentation_publish`.
    run_id : str
        Key of the run.
    day : date
        Business day.
    now : datetime
        The present instant, timezone-aware.
    """
    fresh = {"business_day": day, "started_at": now, "finished_at": None, "message": ""}
    statement = insert(runs).values(run_id=run_id, status=RUNNING, **fresh)
    with named_warehouse_errors(engine), engine.begin() as connection:
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[runs.c.run_id],
                set_={"status": RUNNING, **fresh},
                where=runs.c.status != PUBLISHED,
            )
        )


def hold_run(engine: Engine, run_id: str, reasons: Sequence[str], now: datetime) -> None:
    """Enter that a gate held the run; `reasons` are the gates' outcomes in words."""
    _end_run(engine, run_id, HELD, " ".join(reasons), now)


def fail_run(engine: Engine, run_id: str, message: str, now: datetime) -> None:
    """Enter that the run failed, with the error's text."""
    _end_run(engine, run_id, FAILED, message, now)


def _end_run(engine: Engine, run_id: str, status: str, message: str, now: datetime) -> None:
    with named_warehouse_errors(engine), engine.begin() as connection:
        ended = connection.execute(
            update(runs)
            .where(runs.c.run_id == run_id, runs.c.status != PUBLISHED)
            .values(status=status, message=message, finished_at=now)
        )
        if ended.rowcount == 0:
            note = f"Run again and {status}; the labels published before are still served. {message}"
            connection.execute(update(runs).where(runs.c.run_id == run_id).values(message=note))


def base_night(engine: Engine, day: date) -> PublishedNight | None:
    """Return the nearest published day before `day`, or None on the first night.

    Parameters
    ----------
    engine : Engine
        The warehouse.
    day : date
        Business day that is to build on it.
    """
    with named_warehouse_errors(engine), engine.connect() as connection:
        row = connection.execute(
            select(runs.c.business_day, runs.c.run_id, runs.c.model_version, runs.c.segmentation_version)
            .where(runs.c.status == PUBLISHED, runs.c.business_day < day)
            .order_by(runs.c.business_day.desc())
            .limit(1)
        ).one_or_none()
    return PublishedNight(*row) if row else None


def newest_published(connection: Connection) -> date | None:
    """Return the newest published business day, which `marts.customer_segments` shows; None before the first."""
    return connection.scalar(select(func.max(runs.c.business_day)).where(runs.c.status == PUBLISHED))


def publish_run(
    connection: Connection,
    run_id: str,
    day: date,
    *,
    base: PublishedNight | None,
    model_version: str,
    segmentation_version: str,
    inputs: str | None,
    customers: int,
    now: datetime,
    note: str = "",
) -> str | None:
    """Enter the run as the published one of its day; the one published before is superseded.

    Parameters
    ----------
    connection : Connection
        The publishing transaction.
    run_id : str
        Key of the run.
    day : date
        Business day.
    base : PublishedNight, optional
        The published day this one built on.
    model_version, segmentation_version : str
        What made the labels, and their content hash.
    inputs : str, optional
        `inputs_version` of the lake.
    customers : int
        Customers labelled.
    now : datetime
        The present instant, timezone-aware.

    Returns
    -------
    str or None
        `segmentation_version` that was published for the day until now.
    """
    before: str | None = connection.scalar(
        select(runs.c.segmentation_version).where(runs.c.status == PUBLISHED, runs.c.business_day == day)
    )
    connection.execute(
        update(runs)
        .where(runs.c.status == PUBLISHED, runs.c.business_day == day, runs.c.run_id != run_id)
        .values(status=SUPERSEDED, stale=False, stale_reason="")
    )
    values = {
        "business_day": day,
        "status": PUBLISHED,
        "finished_at": now,
        "message": note,
        "model_version": model_version,
        "segmentation_version": segmentation_version,
        "base_day": base.business_day if base else None,
        "base_segmentation_version": base.segmentation_version if base else None,
        "inputs_version": inputs,
        "customers": customers,
    }
    connection.execute(
        insert(runs)
        .values(run_id=run_id, started_at=now, **values)
        .on_conflict_do_update(index_elements=[runs.c.run_id], set_=values)
    )
    return before


def inputs_version(lake: Lake, day: date) -> str | None:
    """Return a hash of everything that the labels of a day were made from.

    Parameters
    ----------
    lake : Lake
        The lake with the manifests `checked/_days` and `raw/_runs`.
    day : date
        Business day.

    Returns
    -------
    str or None
        SHA-256 (hex) over the content hashes of the checked days up to `day` and of the day's snapshots;
        None if the lake has no manifest of the day (wiped or moved).
    """
    return _inputs_version(_manifests(lake), lake, day)


def describe_inputs(lake: Lake, day: date) -> dict[str, dict[str, list[Any]]]:
    """Return what the labels of a day are made from, so that two runs of it can be compared.

    Returns
    -------
    dict
        Source table -> day -> [rows, content hash] of the checked file; snapshots have the day's own only. Days that
        were checked before their manifests knew hashes per table have the hash of the whole day.
    """
    found: dict[str, dict[str, list[Any]]] = {}
    run_file = lake.run_manifest(CHECKED, day)
    snapshots = {day: json.loads(run_file.read_text())} if run_file.exists() else {}
    for manifests in (lake.day_manifests(CHECKED), snapshots):
        for data_day, manifest in manifests.items():
            if data_day > day:
                continue
            for table, rows in manifest.get("rows_ok", {}).items():
                file_hash = manifest.get("hashes", {}).get(table, manifest["files_hash"])[:16]
                found.setdefault(table, {})[data_day.isoformat()] = [rows, file_hash]
    return found


def inputs_file(lake: Lake, day: date, version: str) -> Path:
    """Return the file with `describe_inputs` of a run of a day."""
    return lake.path(FEATURES, day=day) / f"inputs-{version[:16]}.json"


def refresh_stale(connection: Connection, lake: Lake) -> list[StaleDay]:
    """Work out which published days a re-run would change, and write it into the ledger.

    Derived from the ledger and the lake as they are now, so it may be called at any time. A day is stale if
    the nearest published day before it is not the one it built on, if that day was published again with
    another result, if rows of days up to it arrived or changed since, or if the day it built on is stale.
    Running exactly these days in their order leaves what one clean pass would leave.

    Parameters
    ----------
    connection : Connection
        A transaction on the warehouse.
    lake : Lake
        The lake; days whose manifests it lacks are not judged by their inputs.

    Returns
    -------
    list of StaleDay
        In order of the days.
    """
    ordered = select(runs).where(runs.c.status == PUBLISHED).order_by(runs.c.business_day)
    nights = [dict(row) for row in connection.execute(ordered).mappings()]
    manifests = _manifests(lake)
    found: list[StaleDay] = []
    before: dict[str, Any] | None = None
    for night in nights:
        day = night["business_day"]
        stale_base = found[-1] if before and found and found[-1].business_day == before["business_day"] else None
        inputs = _inputs_version(manifests, lake, day)
        if reason := _chain_broken(night, before):
            found.append(StaleDay(day, reason, by_chain=True))
        elif night["inputs_version"] and inputs and inputs != night["inputs_version"]:
            reason = f"rows of days up to {day} arrived or changed since it was published"
            found.append(StaleDay(day, reason, by_chain=stale_base is not None and stale_base.by_chain))
        elif stale_base:
            why = "is stale itself" if stale_base.by_chain else "lacks rows that arrived or changed since"
            reason = f"it built on {stale_base.business_day}, which {why}"
            found.append(StaleDay(day, reason, by_chain=stale_base.by_chain))
        before = night
    _write_stale(connection, nights, found)
    return found


def backfill_command(first: date, last: date) -> str:
    """Return the command that runs a range of days again, both included.

    Examples
    --------
    >>> print(backfill_command(date(2017, 10, 1), date(2017, 10, 3)))  # doctest: +NORMALIZE_WHITESPACE
    airflow backfill create --dag-id segmentation_nightly --from-date 2017-10-01 --to-date 2017-10-03
    --reprocess-behavior completed
    """
    return (
        f"airflow backfill create --dag-id {NIGHTLY_DAG} --from-date {first} --to-date {last} "
        "--reprocess-behavior completed"
    )


def _chain_broken(night: dict[str, Any], before: dict[str, Any] | None) -> str:
    base = night["base_day"]
    if before is None:
        return f"it built on {base}, which is no longer published" if base else ""
    if base != before["business_day"]:
        built_on = f"it built on {base}" if base else "it was the first night"
        return f"{built_on}, and {before['business_day']} was published since"
    if night["base_segmentation_version"] != before["segmentation_version"]:
        return f"{base} was published again with another result"
    return ""


def _write_stale(connection: Connection, nights: Sequence[dict[str, Any]], found: list[StaleDay]) -> None:
    texts: dict[date, str] = {}
    if found:
        # through the newest day: running a day again may change what the days after it built on
        command = backfill_command(found[0].business_day, nights[-1]["business_day"])
        texts = {s.business_day: f"A re-run would give another result: {s.reason}. Run: {command}" for s in found}
    for night in nights:
        reason = texts.get(night["business_day"], "")
        if night["stale_reason"] != reason or night["stale"] != bool(reason):
            connection.execute(
                update(runs).where(runs.c.run_id == night["run_id"]).values(stale=bool(reason), stale_reason=reason)
            )


def _manifests(lake: Lake) -> list[tuple[str, str]]:
    """List (day, content hash) of every checked day, in order."""
    return [(day.isoformat(), manifest["files_hash"]) for day, manifest in lake.day_manifests(CHECKED).items()]


def _inputs_version(manifests: list[tuple[str, str]], lake: Lake, day: date) -> str | None:
    run_file = lake.run_manifest(RAW, day)
    if not run_file.exists() or not any(name == day.isoformat() for name, _ in manifests):
        return None
    digest = hashlib.sha256(json.loads(run_file.read_text())["snapshot_hash"].encode())
    for name, files_hash in manifests:
        if name <= day.isoformat():
            digest.update(f"\n{name} {files_hash}".encode())
    return digest.hexdigest()
