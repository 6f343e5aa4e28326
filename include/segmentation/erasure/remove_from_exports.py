"""Look for customers in the files that were written for destinations and still lie there, and remove them."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import cast
from urllib.parse import urlsplit

from segmentation.activation.destination import KeepsFiles, Login, open_destination
from segmentation.config import ActivationSettings, Settings
from segmentation.erasure.requests import CUSTOMER_ID
from segmentation.erasure.search import Search
from segmentation.errors import DestinationRefused

logger = logging.getLogger(__name__)

#: Name of a destination -> what opens it.
LoginOf = Callable[[str], Login]


def no_login(_destination: str) -> Login:
    """Return no login: for destinations that need none, or find it as the AWS tools do."""
    return Login()


def search_exports(settings: Settings, login_of: LoginOf, customer_ids: Sequence[str]) -> Search:
    """Look through the files in the folders and buckets among the destinations.

    Parameters
    ----------
    settings : Settings
        The destinations.
    login_of : callable
        Their logins.
    customer_ids : sequence of str
        Whom to look for.

    Returns
    -------
    Search
        A bucket that lets us write but not look is in ``not_searched``.

    Raises
    ------
    DestinationUnreachable
        If a store does not answer.
    """
    found = Search()
    for place in _keeping(settings.activation, login_of):
        for _, header, rows in _sent(place, found.not_searched):
            found.files += 1
            for row in _rows_of(customer_ids, header, rows):
                found.rows[row[header.index(CUSTOMER_ID)], f"exports/{place.name}"] += 1
    return found


def remove_from_exports(settings: Settings, login_of: LoginOf, customer_ids: Sequence[str]) -> int:
    """Rewrite every file that holds one of the customers, and return how many rows went; arguments as above.

    Raises
    ------
    DestinationUnreachable, DestinationRefused
        If a store does not answer, or a file cannot be rewritten.
    """
    removed = 0
    for place in _keeping(settings.activation, login_of):
        for file, header, rows in _sent(place, []):
            theirs = _rows_of(customer_ids, header, rows)
            if theirs:
                text = io.StringIO()
                csv.writer(text).writerows([header, *(row for row in rows if row not in theirs)])
                place.replace(file, text.getvalue().encode())
                removed += len(theirs)
    return removed


def _keeping(settings: ActivationSettings, login_of: LoginOf) -> Iterator[KeepsFiles]:
    """Open the destinations that keep files: folders and buckets, not webhooks."""
    for name, url in sorted(settings.destinations.items()):
        if urlsplit(url).scheme in ("file", "s3"):
            yield cast("KeepsFiles", open_destination(name, settings, login_of(name)))


def _sent(place: KeepsFiles, closed: list[str]) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Read every file of a place: its name, header and rows; a place that lets nobody look is added to ``closed``."""
    try:
        for file in place.files():
            header, *rows = list(csv.reader(io.StringIO(place.read(file).decode(), newline=""))) or [[]]
            yield file, header, rows
    except DestinationRefused as refused:
        logger.warning("Destination %s lets nobody look through its files: %s.", place.name, refused.reason)
        closed.append(place.name)


def _rows_of(customer_ids: Sequence[str], header: list[str], rows: list[list[str]]) -> list[list[str]]:
    if CUSTOMER_ID not in header:
        return []
    column = header.index(CUSTOMER_ID)
    return [row for row in rows if column < len(row) and row[column] in customer_ids]
