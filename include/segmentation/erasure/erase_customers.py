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
from segmentation.erasure.remove_from_lake import remove_from_lake
from segmentation.erasure.remove_from_warehouse import remove_from_warehouse
from segmentation.erasure.withdraw_models import withdraw_models


def erase_customers(
    settings: Settings,
    warehouse: Engine,
    run_id: str,
    now: datetime,
    require_no_night: Callable[[], None] = lambda: None,
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
    """
    require_no_night()
    begun = begin_erasure(settings, warehouse, now)
    withdraw_models(settings, warehouse, begun.request_ids, now)
    remove_everywhere(settings, warehouse, begun.request_ids)
    require_no_night()
    return certify_erasure(settings, warehouse, begun.request_ids, run_id, now, now)


def remove_everywhere(settings: Settings, warehouse: Engine, request_ids: list[int]) -> dict[str, int]:
    """Remove the customers of requests from warehouse, lake and exports while no export runs.

    Returns
    -------
    dict of str to int
        Rows deleted or changed per table, and ``files`` rewritten.
    """
    if not request_ids:
        return {}
    with ExitStack() as stack:
        for destination in sorted(settings.activation.destinations):
            stack.enter_context(alone_with(warehouse, destination))
        changed = remove_from_warehouse(settings, warehouse, request_ids)
        return changed | {"files": remove_from_lake(settings, warehouse, request_ids)}
