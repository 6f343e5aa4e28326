"""Tell a destination which customers of running campaigns it may write to, and which not any more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text, update

from segmentation.activation.destination import Batch, Login, Recipient, batch_key, open_destination
from segmentation.config import ActivationSettings
from segmentation.connections import sole_holder
from segmentation.errors import DestinationRefused, DestinationUnreachable, ExportRunning, UnknownCampaign
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import activation_log, campaigns, customer_segments

logger = logging.getLogger(__name__)

_SQL = Path(__file__).parent


@dataclass(frozen=True)
class CampaignExport:
    """What a destination was told, or would be, of one campaign: customers who join, who leave, who are withheld."""

    campaign_id: int
    campaign: str
    joined: int
    left: int
    withheld: int


@dataclass(frozen=True)
class Export:
    """What one export did.

    Attributes
    ----------
    destination : str
        Name in the settings.
    as_of : date or None
        Business day whose labels and consent decided; None before the first night.
    sent : bool
        False for a dry run.
    batches : int
        Requests, objects or files.
    campaigns : tuple of CampaignExport
        By number.
    """

    destination: str
    as_of: date | None
    sent: bool
    batches: int
    campaigns: tuple[CampaignExport, ...]


def export_audience(
    settings: ActivationSettings,
    destination: str,
    warehouse: Engine,
    login: Login,
    run_id: str,
    now: datetime,
    *,
    campaign: int | None = None,
    send: bool = False,
) -> Export:
    """Send a destination what changed for it since the last export, or tell what that would be.

    Sent are the treated customers of campaigns that run on the day after the newest labels, if their consent allows
    it: those who have not joined yet, and, as ``left``, those who have joined and whose campaign is over, who withdrew
    consent, or who are gone from the shop. A batch is entered in `ops.activation_log` before it is sent and confirmed
    there after. One that was not confirmed goes again under the same key, unless one of its customers must not be
    written to any more: then the others go in a new one, and that customer is told as ``left``.

    Parameters
    ----------
    settings : ActivationSettings
        Destinations, consent rule, sizes, patience.
    destination : str
        Name of the destination.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    login : Login
        What opens the destination.
    run_id : str
        Key of the run, for the log.
    now : datetime
        The present instant, timezone-aware.
    campaign : int, optional
        Only this campaign.
    send : bool
        False: a dry run, which sends and writes nothing.

    Returns
    -------
    Export

    Raises
    ------
    UnknownDestination, UnknownCampaign
        If there is none of that name or number.
    ExportRunning
        If another export to the destination is running.
    DestinationUnreachable, DestinationRefused
        If a batch was not confirmed; those before it are.
    """
    place = open_destination(destination, settings, login)
    asked = {"destination": destination, "campaign_id": campaign, "require_consent": settings.require_consent}
    with named_warehouse_errors(warehouse), alone_with(warehouse, destination):
        with warehouse.begin() as connection:
            # one snapshot of labels, consent and log, also while a night is published
            connection.execute(text("set transaction isolation level repeatable read"))
            _require_campaign(connection, campaign)
            as_of = connection.scalar(select(func.max(customer_segments.c.as_of)))
            batches = _plan(connection, destination, place.most_rows, asked)
            counts = _count(connection, batches, asked)
            if send:
                _enter(connection, destination, batches, run_id, now)
        if send:
            _deliver(warehouse, destination, place.send, batches)
    for row in counts:
        logger.info(
            "%s %s, campaign %d (%s): %d join, %d leave; %d of its customers withheld.",
            "Sent to" if send else "Dry run, would send to", destination, row.campaign_id, row.campaign,
            row.joined, row.left, row.withheld,
        )  # fmt: skip
    if not counts:
        logger.info("Destination %s: no campaign runs, and nobody has to leave.", destination)
    return Export(destination, as_of, send, len(batches), tuple(counts))


@contextmanager
def alone_with(warehouse: Engine, destination: str) -> Iterator[None]:
    """Keep other exports to the destination away; a process that dies lets go."""
    with sole_holder(warehouse, f"segmentation:activation:{destination}") as alone:
        if not alone:
            raise ExportRunning(destination)
        yield


def _require_campaign(connection: Connection, campaign: int | None) -> None:
    if campaign is None:
        return
    for table in (campaigns, activation_log):
        if connection.scalar(select(table.c.campaign_id).where(table.c.campaign_id == campaign).limit(1)) is not None:
            return
    raise UnknownCampaign(campaign)


def _plan(connection: Connection, destination: str, most_rows: int, asked: dict[str, Any]) -> list[Batch]:
    """Return the batches to send, in order: who leaves first, so that nothing else can keep it back."""
    found = connection.execute(text((_SQL / "select_changes.sql").read_text()), asked).all()
    batches = []
    for (key, number, name, event), rows in groupby(
        found, key=lambda row: (row.batch_key, row.campaign_id, row.campaign, row.event)
    ):
        changes = list(rows)
        # a batch to repeat stays as it was, whatever the settings say now
        step = len(changes) if key else most_rows
        for start in range(0, len(changes), step):
            part = changes[start : start + step]
            recipients = tuple(Recipient(row.customer_id, row.action, row.number) for row in part)
            made = key or batch_key(destination, number, event, recipients)
            batches.append(Batch(made, number, name, event, part[0].as_of, recipients))
    return batches


def _count(connection: Connection, batches: list[Batch], asked: dict[str, Any]) -> list[CampaignExport]:
    withheld = connection.execute(text((_SQL / "count_withheld.sql").read_text()), asked).all()
    names = {batch.campaign_id: batch.campaign for batch in batches} | {
        row.campaign_id: row.campaign for row in withheld
    }
    kept_back = {row.campaign_id: row.withheld for row in withheld}

    def customers(campaign_id: int, event: str) -> int:
        return sum(len(b.recipients) for b in batches if (b.campaign_id, b.event) == (campaign_id, event))

    return [
        CampaignExport(
            number, names[number], customers(number, "joined"), customers(number, "left"), kept_back.get(number, 0)
        )
        for number in sorted(names)
    ]


def _enter(connection: Connection, destination: str, batches: list[Batch], run_id: str, now: datetime) -> None:
    statement = text((_SQL / "enter_batch.sql").read_text())
    for batch in batches:
        connection.execute(
            statement,
            {
                "destination": destination,
                "campaign_id": batch.campaign_id,
                "event": batch.event,
                "as_of": batch.as_of,
                "batch_key": batch.key,
                "planned_at": now,
                "run_id": run_id,
                "customers": [recipient.customer_id for recipient in batch.recipients],
                "actions": [recipient.action for recipient in batch.recipients],
                "numbers": [recipient.number for recipient in batch.recipients],
            },
        )


def _deliver(warehouse: Engine, destination: str, send: Callable[[Batch], None], batches: list[Batch]) -> None:
    """Send batch by batch, and confirm each in the log at once."""
    sent = 0
    for batch in batches:
        try:
            send(batch)
        except (DestinationRefused, DestinationUnreachable) as error:
            waiting = sum(len(b.recipients) for b in batches) - sent
            raise type(error)(destination, error.reason, sent, waiting) from error
        with warehouse.begin() as connection:
            connection.execute(
                update(activation_log)
                .where(activation_log.c.destination == destination, activation_log.c.batch_key == batch.key)
                .values(sent_at=func.clock_timestamp())
            )
        sent += len(batch.recipients)
