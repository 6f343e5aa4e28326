"""Tell destinations that understand it to forget a customer, then remove the customer from the log of what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, func, text, update

from segmentation.activation.destination import Batch, Recipient, batch_key, open_destination
from segmentation.config import Settings
from segmentation.erasure.remove_from_exports import LoginOf
from segmentation.erasure.requests import load_requests
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import activation_log, erasure_requests

_SQL = Path(__file__).parent
ERASED_EVENT = "erased"


def tell_destinations(settings: Settings, warehouse: Engine, request_ids: list[int], login_of: LoginOf) -> list[str]:
    """Send an event ``erased`` for each campaign that a customer was sent for, and forget that it was.

    Destinations in ``activation.tell_erased`` get it, through the interface that sends who joined and who left: under
    an idempotency key that is the same when an interrupted erasure sends it again, with the next number of the
    customer there. When one has confirmed it, it is no longer among those that somebody has to tell.

    Parameters
    ----------
    settings : Settings
        Destinations, and which of them understand the event.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    request_ids : list of int
        Requests that `begin_erasure` took up.
    login_of : callable
        Logins of destinations.

    Returns
    -------
    list of str
        Destinations that confirmed an event.

    Raises
    ------
    DestinationUnreachable, DestinationRefused
        If one does not take an event; the log stays as it is, so that the next attempt can tell it.
    """
    requests = load_requests(settings, warehouse, request_ids)
    ids = [one for request in requests for one in request.customer_ids]
    told = []
    for name in sorted(settings.activation.tell_erased):
        place = open_destination(name, settings.activation, login_of(name))
        with named_warehouse_errors(warehouse), warehouse.begin() as connection:
            batches = _batches(connection, name, ids, place.most_rows)
        for batch in batches:
            place.send(batch)
        if batches:
            told.append(name)
            told_of = {recipient.customer_id for batch in batches for recipient in batch.recipients}
            numbers = [one.request_id for one in requests if told_of.intersection(one.customer_ids)]
            _note(warehouse, name, numbers)
    with named_warehouse_errors(warehouse), warehouse.begin() as connection:
        connection.execute(delete(activation_log).where(activation_log.c.customer_id.in_(ids)))
    return told


def _batches(connection: Connection, name: str, ids: Sequence[str], most_rows: int) -> list[Batch]:
    rows = connection.execute(text((_SQL / "list_sent.sql").read_text()), {"destination": name, "customers": list(ids)})
    found = []
    for (campaign_id, campaign, as_of), customers in groupby(
        rows, key=lambda row: (row.campaign_id, row.campaign, row.as_of)
    ):
        everybody = [Recipient(row.customer_id, row.action, row.number) for row in customers]
        for start in range(0, len(everybody), most_rows):
            some = tuple(everybody[start : start + most_rows])
            key = batch_key(name, campaign_id, ERASED_EVENT, some)
            found.append(Batch(key, campaign_id, campaign, ERASED_EVENT, as_of, some))
    return found


def _note(warehouse: Engine, name: str, request_ids: Sequence[int]) -> None:
    """Move a destination from those to be told to those told."""
    table = erasure_requests.c
    with named_warehouse_errors(warehouse), warehouse.begin() as connection:
        connection.execute(
            update(erasure_requests)
            .where(table.request_id.in_(request_ids))
            .values(
                recipients=func.array_remove(table.recipients, name),
                told=func.array_append(func.array_remove(table.told, name), name),
            )
        )
