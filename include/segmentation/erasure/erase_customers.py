"""All steps of an erasure in this process, in order: without Airflow, and for tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime

from sqlalchemy import Engine

from segmentation.activation.export_audience import alone_with
from segmentation.config import Settings
from segmentation.erasure.begin import begin_erasure
from segmentation.erasure.certify import Certified, certify_erasure
from segmentation.erasure.remove_from_exports import LoginOf, no_login, remove_from_exports
from segmentation.erasure.remove_from_lake import remove_from_lake
from segmentation.erasure.remove_from_warehouse import remove_from_warehouse
from segmentation.erasure.requests import load_requests
from segmentation.erasure.tell_destinations import tell_destinations
from segmentation.erasure.withdraw_models import withdraw_models


def erase_customers(
    settings: Settings,
    warehouse: Engine,
    run_id: str,
    now: datetime,
    require_no_night: Callable[[], None] = lambda: None,
    login_of: LoginOf = no_login,
) -> Certified:
    """Erase the customer of every open request, or go on with those that an interrupted attempt began.

    Parameters
    ----------
    settings : Settings
        All settings; the privacy key is needed.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    run_id : str
        Run to name in the certificates.
    now : datetime
        The present instant, timezone-aware.
    require_no_night : callable, optional
        Asked before anything is removed and again before anything is certified, beside `ops.runs`: raises
        `NightRunning` if a night is under way that the ledger does not show.
    login_of : callable, optional
        Logins of destinations: to look through the files there, and to tell those that understand it.

    Returns
    -------
    Certified

    Raises
    ------
    MissingPrivacyKey
        If there is a request and no key.
    NightRunning, ExportRunning
        If a night or an export is under way.
    NotErased
        If something of a customer is left; no certificate is written then.
    DestinationUnreachable, DestinationRefused
        If a destination does not answer, or takes neither an event that it is to understand nor a file in place of one
        that holds the customer. What was removed stays removed.
    """
    require_no_night()
    begun = begin_erasure(settings, warehouse, now, login_of)
    withdraw_models(settings, warehouse, begun.request_ids, now)
    remove_everywhere(settings, warehouse, begun.request_ids, login_of)
    require_no_night()
    return certify_erasure(settings, warehouse, begun.request_ids, run_id, now, now, login_of)


def remove_everywhere(
    settings: Settings, warehouse: Engine, request_ids: list[int], login_of: LoginOf = no_login
) -> dict[str, int]:
    """Remove the customers of requests from warehouse, lake and exports while no export runs.

    Returns
    -------
    dict of str to int
        Rows deleted or changed per table, ``files`` of ours rewritten, and rows removed from ``exports``.
    """
    if not request_ids:
        return {}
    with ExitStack() as stack:
        for destination in sorted(settings.activation.destinations):
            stack.enter_context(alone_with(warehouse, destination))
        changed = remove_from_warehouse(settings, warehouse, request_ids)
        changed["files"] = remove_from_lake(settings, warehouse, request_ids)
        # what others have to do with it comes last: they may not answer
        requests = load_requests(settings, warehouse, request_ids)
        ids = [one for request in requests for one in request.customer_ids]
        changed["exports"] = remove_from_exports(settings, login_of, ids)
        tell_destinations(settings, warehouse, request_ids, login_of)
        return changed
