"""Take up requests: measure what there is of each customer, and note it before anything is removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update

from segmentation import runs
from segmentation.config import Settings
from segmentation.erasure.remove_from_exports import LoginOf, no_login, search_exports
from segmentation.erasure.requests import ERASING, TOMBSTONE, Request, load_requests
from segmentation.erasure.search import search_files, search_tables
from segmentation.errors import NightRunning
from segmentation.privacy.keyed_hash import erasure_mark, key_check, privacy_key
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import activation_log, erasure_requests

#: A run that is still "running" after this long is dead: no task of a night may take as long.
_LONGEST_NIGHT = timedelta(hours=24)


@dataclass(frozen=True)
class Begun:
    """What an erasure works on.

    Attributes
    ----------
    request_ids : list of int
        Requests taken up, those of an interrupted attempt among them.
    rows_found : int
        Rows of their customers in lake, exports and warehouse; 0 where an earlier attempt had removed them.
    """

    request_ids: list[int]
    rows_found: int


def begin_erasure(settings: Settings, warehouse: Engine, now: datetime, login_of: LoginOf = no_login) -> Begun:
    """Take up every open request, or go on with those that an interrupted attempt had taken up.

    From here on extraction leaves the customers out; it does so for open requests as well.

    Parameters
    ----------
    settings : Settings
        All settings; the privacy key is needed.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    now : datetime
        The present instant, timezone-aware.
    login_of : callable, optional
        Logins of destinations, to look through the files there.

    Returns
    -------
    Begun

    Raises
    ------
    MissingPrivacyKey
        If there is a request and no key.
    NightRunning
        If a night is under way.
    DestinationUnreachable
        If a bucket does not answer.
    """
    requests = load_requests(settings, warehouse)
    if not requests:
        return Begun([], 0)
    key = privacy_key(settings, "the erasure of a customer")
    require_quiet(warehouse, now)
    ids = [one for request in requests for one in request.customer_ids]
    files, tables = search_files(settings, ids), search_tables(warehouse, ids)
    exports = search_exports(settings, login_of, ids)
    rows = 0
    with named_warehouse_errors(warehouse), warehouse.begin() as connection:
        kept = _nights_up_to_date(connection, settings)
        for request in requests:
            found = {
                place: n for search in (files, exports, tables) for place, n in search.of(request.customer_ids).items()
            }
            rows += sum(found.values())
            days = [files.first_days[one] for one in request.customer_ids if one in files.first_days]
            first_day = min(days, default=None)
            connection.execute(
                update(erasure_requests)
                # what an earlier attempt noted was noted before anything was removed
                .where(erasure_requests.c.request_id == request.request_id, erasure_requests.c.status != ERASING)
                .values(
                    status=ERASING,
                    begun_at=now,
                    policy=request.policy,
                    customer_marks=[erasure_mark(key, one) for one in request.customer_ids],
                    key_check=key_check(key),
                    first_day=first_day,
                    found=found,
                    recipients=_recipients(connection, request),
                    nights_kept=[day for day in kept if _stays(request, day, first_day)],
                )
            )
    return Begun([request.request_id for request in requests], rows)


def require_quiet(warehouse: Engine, now: datetime, since: datetime | None = None) -> None:
    """Make sure that no night is under way, and that none has begun since an instant.

    Raises
    ------
    NightRunning
        If one is, or has.
    """
    table = runs.runs.c
    is_running = (table.status == runs.RUNNING) & (table.started_at > now - _LONGEST_NIGHT)
    condition: Any = is_running if since is None else is_running | (table.started_at > since)
    with named_warehouse_errors(warehouse), warehouse.connect() as connection:
        run_id = connection.scalar(select(table.run_id).where(condition).limit(1))
    if run_id is not None:
        raise NightRunning(run_id)


def _nights_up_to_date(connection: Connection, settings: Settings) -> list[date]:
    """Return the published days whose inputs are in the lake as they were."""
    table = runs.runs.c
    published = connection.execute(
        select(table.business_day, table.inputs_version)
        .where(table.status == runs.PUBLISHED, table.inputs_version.is_not(None))
        .order_by(table.business_day)
    )
    return [day for day, version in published if runs.inputs_version(settings.lake, day) == version]


def _stays(request: Request, day: date, first_day: date | None) -> bool:
    """Tell whether a night is not called stale for the erasure: by policy, or because it did not see the customer."""
    return request.policy == TOMBSTONE or first_day is None or day < first_day


def _recipients(connection: Connection, request: Request) -> list[str]:
    table = activation_log.c
    told = select(func.distinct(table.destination)).where(table.customer_id.in_(request.customer_ids))
    return sorted(connection.scalars(told))
