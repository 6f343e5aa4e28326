"""Prove that customers are gone, and say so in `ops.erasure_certificates`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, select, update
from sqlalchemy.dialects.postgresql import insert

from segmentation import runs
from segmentation.config import Settings
from segmentation.erasure.begin import require_quiet
from segmentation.erasure.remove_from_exports import LoginOf, no_login, search_exports
from segmentation.erasure.requests import ERASED, RETRAIN, Request, load_requests
from segmentation.erasure.search import Search, search_files, search_tables
from segmentation.erasure.withdraw_models import REASON
from segmentation.errors import NotErased
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import erasure_certificates, erasure_requests, models


@dataclass(frozen=True)
class Certified:
    """What was proven.

    Attributes
    ----------
    request_ids : list of int
        Requests whose customers are nowhere any more.
    files, tables : int
        Files and tables that were searched.
    stale_days : list of str
        Published days that a re-run would change now.
    """

    request_ids: list[int]
    files: int
    tables: int
    stale_days: list[str]


def certify_erasure(
    settings: Settings,
    warehouse: Engine,
    request_ids: list[int],
    run_id: str,
    now: datetime,
    since: datetime,
    login_of: LoginOf = no_login,
) -> Certified:
    """Search for the customers everywhere, and if nothing is found write their certificates and forget their keys.

    Parameters
    ----------
    settings : Settings
        All settings.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    request_ids : list of int
        Requests that `begin_erasure` took up.
    run_id : str
        Run to name in the certificates.
    now : datetime
        The present instant, timezone-aware.
    since : datetime
        When this attempt began to remove.
    login_of : callable, optional
        Logins of destinations, to look through the files there.

    Returns
    -------
    Certified

    Raises
    ------
    NightRunning
        If a night is under way or has begun since: it may have read the customers before they were removed.
    NotErased
        If something of them is left.
    DestinationUnreachable
        If a bucket does not answer.
    """
    requests = load_requests(settings, warehouse, request_ids)
    if not requests:
        return Certified([], 0, 0, [])
    require_quiet(warehouse, now, since)
    ids = [one for request in requests for one in request.customer_ids]
    searched = search_files(settings, ids), search_exports(settings, login_of, ids), search_tables(warehouse, ids)
    _require_nothing(requests, searched)
    with named_warehouse_errors(warehouse), warehouse.begin() as connection:
        _keep_nights(connection, settings, requests)
        for request in requests:
            _write_certificate(connection, request, run_id, now, searched, _in_bucket(settings))
        connection.execute(
            update(erasure_requests)
            .where(erasure_requests.c.request_id.in_([request.request_id for request in requests]))
            .values(status=ERASED, customer_id=None)
        )
        stale = runs.refresh_stale(connection, settings.lake)
    return Certified(
        [request.request_id for request in requests],
        sum(search.files for search in searched),
        sum(search.tables for search in searched),
        [one.business_day.isoformat() for one in stale],
    )


def _require_nothing(requests: list[Request], searched: Sequence[Search]) -> None:
    left = {
        request.request_id: [place for search in searched for place in search.of(request.customer_ids)]
        for request in requests
    }
    guilty = [number for number, found in left.items() if found]
    if guilty:
        raise NotErased(guilty, sorted({place for found in left.values() for place in found}))


def _keep_nights(connection: Connection, settings: Settings, requests: list[Request]) -> None:
    """Let the ledger know nights by their files as they are now, unless a request has them made anew."""
    numbers = [request.request_id for request in requests]
    noted = connection.scalars(
        select(erasure_requests.c.nights_kept).where(erasure_requests.c.request_id.in_(numbers))
    ).all()
    kept: set[date] = set.intersection(*(set(days) for days in noted))
    for day in sorted(kept):
        connection.execute(
            update(runs.runs)
            .where(runs.runs.c.status == runs.PUBLISHED, runs.runs.c.business_day == day)
            .values(inputs_version=runs.inputs_version(settings.lake, day))
        )


def _write_certificate(
    connection: Connection, request: Request, run_id: str, now: datetime, searched: Sequence[Search], in_bucket: str
) -> None:
    noted = connection.execute(
        select(erasure_requests).where(erasure_requests.c.request_id == request.request_id)
    ).one()
    withdrawn: list[str] = []
    if request.first_day is not None:
        withdrawn = list(
            connection.scalars(
                select(models.c.model_version)
                .where(
                    models.c.trained_through >= request.first_day,
                    models.c.removed_reason == REASON,
                    models.c.removed_at >= noted.begun_at,
                )
                .order_by(models.c.model_version)
            )
        )
    values: dict[str, Any] = {
        "erased_at": now,
        "run_id": run_id,
        "policy": request.policy,
        "found": noted.found,
        "models_withdrawn": withdrawn,
        "recipients": noted.recipients,
        "told": noted.told,
        "files_searched": sum(search.files for search in searched),
        "tables_searched": sum(search.tables for search in searched),
        "statement": _statement(request, noted, withdrawn, searched, in_bucket),
    }
    connection.execute(
        insert(erasure_certificates)
        .values(request_id=request.request_id, **values)
        .on_conflict_do_update(index_elements=[erasure_certificates.c.request_id], set_=values)
    )


def _in_bucket(settings: Settings) -> str:
    """Say in words what of a lake in a bucket was not reached; '' for a folder."""
    if settings.lake.bucket is None:
        return ""
    versions = {
        True: "The bucket of the lake keeps old versions of its objects: remove them by a lifecycle rule.",
        None: "Whether the bucket of the lake keeps old versions of its objects could not be told.",
    }.get(settings.lake.bucket.keeps_old_versions(), "")
    return f"Copies of the lake on other workers follow when these begin their next step. {versions}".rstrip()


def _statement(
    request: Request, noted: Row[Any], withdrawn: list[str], searched: Sequence[Search], in_bucket: str
) -> str:
    if noted.found:
        removed = f"{sum(noted.found.values())} rows of the customer were removed from {len(noted.found)} places."
    else:
        removed = "Nothing of the customer was here; check the key if that is a surprise."
    files, tables = (sum(getattr(search, kind) for search in searched) for kind in ("files", "tables"))
    parts = [removed, f"A search through {files} files and {tables} tables then found nothing."]
    if withdrawn:
        made = "; the nights made with the customer are to be made anew" if request.policy == RETRAIN else ""
        parts.append(f"{len(withdrawn)} models that may have learned from the customer were withdrawn{made}.")
    if noted.told:
        parts.append(f"Told by an event that they confirmed: {', '.join(noted.told)}.")
    if noted.recipients:
        parts.append(f"To be told, because they may have been sent the customer: {', '.join(noted.recipients)}.")
    if closed := [name for search in searched for name in search.not_searched]:
        parts.append(f"Not looked through, because they let nobody look: {', '.join(closed)}.")
    if in_bucket:
        parts.append(in_bucket)
    parts.append("Published figures about groups stay. Backups and what people downloaded are not reached.")
    return " ".join(parts)
