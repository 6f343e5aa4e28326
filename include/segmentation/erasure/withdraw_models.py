"""Withdraw every model that may have learned from an erased customer."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Engine, update

from segmentation.config import Settings
from segmentation.encoder.registry import stored_versions, withdraw
from segmentation.erasure.requests import load_requests
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import models

REASON = "a customer whom it may have learned from was erased"


def withdraw_models(settings: Settings, warehouse: Engine, request_ids: list[int], now: datetime) -> list[str]:
    """Remove the weights of every model trained through the customer's first day or a later one.

    A model made from an earlier one has learned from all that one saw, so the first day decides. Their rows stay in
    `ops.models`. The next night finds no model to continue and trains from nothing.

    Parameters
    ----------
    settings : Settings
        Where the registry is.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    request_ids : list of int
        Requests that `begin_erasure` took up.
    now : datetime
        The present instant, timezone-aware.

    Returns
    -------
    list of str
        Versions withdrawn by this call.
    """
    requests = load_requests(settings, warehouse, request_ids)
    first: date | None = min((one.first_day for one in requests if one.first_day is not None), default=None)
    if first is None:
        return []
    versions = [version for version, through in stored_versions(settings.models).items() if through >= first]
    for version in versions:
        withdraw(settings.models, version, REASON)
    with named_warehouse_errors(warehouse), warehouse.begin() as connection:
        # also those whose weights an interrupted attempt had removed
        connection.execute(
            update(models)
            .where(models.c.trained_through >= first, models.c.removed_at.is_(None))
            .values(removed_at=now, removed_reason=REASON)
        )
    return versions
