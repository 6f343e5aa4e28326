"""What every destination can do, and what it is handed: one batch of customers under one idempotency key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from urllib.parse import urlsplit

from segmentation.config import ActivationSettings
from segmentation.errors import UnknownDestination


@dataclass(frozen=True)
class Recipient:
    """A customer in a batch: what for, and the how-manieth change of the customer's state there (1 = first joined)."""

    customer_id: str
    action: str
    number: int


@dataclass(frozen=True)
class Batch:
    """Customers who join or leave a campaign at a destination.

    Attributes
    ----------
    key : str
        Idempotency key, 64 hexadecimal digits: the same batch tried again has the same.
    campaign_id, campaign : int, str
        Number and name of the campaign.
    event : str
        ``joined`` (may be written to), ``left`` (must not be any more) or ``erased`` (to be forgotten).
    as_of : date
        Business day whose labels and consent decided.
    recipients : tuple of Recipient
        In order of the customer id.
    """

    key: str
    campaign_id: int
    campaign: str
    event: str
    as_of: date
    recipients: tuple[Recipient, ...]


class Destination(Protocol):
    """A place that customers are sent to."""

    #: Customers that one batch may hold.
    most_rows: int

    def send(self, batch: Batch) -> None:
        """Send a batch; returns when the destination has it for good. A second time must change nothing there.

        Raises
        ------
        DestinationUnreachable
            If a later attempt may succeed.
        DestinationRefused
            If somebody has to act first.
        """


class KeepsFiles(Protocol):
    """A place where what was sent stays lying in files that we may rewrite; their names are paths below its folder."""

    name: str

    def files(self) -> list[str]:
        """Name the files of all batches that were sent, in order.

        Raises
        ------
        DestinationUnreachable, DestinationRefused
            As for `Destination.send`; so do the others.
        """

    def read(self, file: str) -> bytes:
        """Return what is in a file."""

    def replace(self, file: str, content: bytes) -> None:
        """Put something else into a file; a reader sees the one or the other."""


@dataclass(frozen=True)
class Login:
    """What opens a destination; empty = nothing needed, or found elsewhere (S3: as the AWS tools find it).

    Attributes
    ----------
    user : str
        S3: the access key.
    secret : str
        S3: the secret key. Webhook: the token of ``Authorization: Bearer …``. Never shown, not even by ``repr``.
    """

    user: str = ""
    secret: str = ""

    def __repr__(self) -> str:
        return "Login(…)"


def batch_key(destination: str, campaign_id: int, event: str, recipients: Sequence[Recipient]) -> str:
    """Return the idempotency key of a batch: SHA-256 of what it says and to whom.

    The customers' change numbers are part of it, so that one who joins, leaves and joins again is not taken for a
    repetition.

    Examples
    --------
    >>> first = batch_key("crm", 1, "joined", [Recipient("c1", "win_back", 1)])
    >>> first == batch_key("crm", 1, "joined", [Recipient("c1", "win_back", 1)])
    True
    >>> first == batch_key("crm", 1, "joined", [Recipient("c1", "win_back", 3)])
    False
    """
    digest = hashlib.sha256()
    for part in (destination, campaign_id, event, *(part for r in recipients for part in (r.customer_id, r.number))):
        text = str(part).encode()
        # lengths keep ("ab", "c") apart from ("a", "bc")
        digest.update(b"%d:%s" % (len(text), text))
    return digest.hexdigest()


def open_destination(name: str, settings: ActivationSettings, login: Login) -> Destination:
    """Return the destination of that name; nothing is connected yet.

    Parameters
    ----------
    name : str
        Key of ``settings.destinations``; its URL's scheme tells the kind.
    settings : ActivationSettings
        URLs, sizes of batches, patience.
    login : Login
        What opens it.

    Raises
    ------
    UnknownDestination
        If the settings have none of that name.
    """
    if name not in settings.destinations:
        raise UnknownDestination(name, sorted(settings.destinations))
    url = settings.destinations[name]
    scheme = urlsplit(url).scheme
    if scheme == "file":
        from segmentation.activation.csv_file import CsvFolder

        return CsvFolder(name, url, settings)
    if scheme == "s3":
        from segmentation.activation.s3_object import S3Bucket

        return S3Bucket(name, url, settings, login)
    from segmentation.activation.webhook import Webhook

    return Webhook(name, url, settings, login)
