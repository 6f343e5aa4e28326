"""What leaves the page about single customers: one customer's label, and audiences as CSV; each is logged before."""

from __future__ import annotations

import hashlib
import hmac
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any

from sqlalchemy import insert

from segmentation.errors import NotThere
from segmentation.pages.night import Night, read_night
from segmentation.pages.reader import Reading, Warehouse
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import downloads

_SQL = Path(__file__).parent
AUDIENCE, LOOK_UP = "audience", "look-up"
#: Most customers of an audience by item.
AUDIENCE_LIMIT = 1_000_000
_BLOCK = 1 << 16
_IN_MEMORY = 8 << 20


@dataclass(frozen=True)
class Audience:
    """An audience as CSV.

    Attributes
    ----------
    file : the CSV, at its beginning; closed by `blocks`
    rows : customers in it
    name : file name
    """

    file: IO[bytes]
    rows: int
    name: str

    def blocks(self) -> Iterator[bytes]:
        """Yield the file piece by piece."""
        with self.file as file:
            while block := file.read(_BLOCK):
                yield block


def look_up(warehouse: Warehouse, customer_id: str, username: str, key: str) -> dict[str, Any]:
    """Read what is known of a customer, and log that it was read, without the id in clear.

    Parameters
    ----------
    warehouse : Warehouse
    customer_id : as the shop writes it
    username : who asks
    key : secret of this installation; the log holds a keyed hash (HMAC-SHA256), so that ids cannot be guessed from it

    Returns
    -------
    dict
        For `customer.html`; ``customer`` is None for an id that has no label.
    """
    with warehouse.reading() as reading:
        found = reading.rows("read_customer.sql", customer_id=customer_id)
        customer = found[0] if found else None
        more: dict[str, Any] = {}
        if customer:
            more = {
                "stays": reading.rows("read_segment_stays.sql", customer_id=customer_id),
                "taste_stays": reading.rows("read_taste_stays.sql", customer_id=customer_id),
                "interests": reading.rows("read_interests.sql", customer_id=customer_id),
            }
    hashed = hmac.new(key.encode(), customer_id.encode(), hashlib.sha256).hexdigest()[:32]
    _log(warehouse, username, LOOK_UP, hashed, customer["as_of"] if customer else None, int(customer is not None))
    return {"customer": customer, **more}


def audiences_view(warehouse: Warehouse) -> dict[str, Any]:
    """Read what `audiences.html` offers: segments and items."""
    with warehouse.reading() as reading:
        night = read_night(reading, None)
        if night is None:
            return {"night": None}
        items = [row["item"] for row in reading.rows("list_items.sql", day=night.day)]
        return {"night": night, "items": items, "limit": AUDIENCE_LIMIT}


def segment_audience(warehouse: Warehouse, segment_id: int, username: str) -> Audience:
    """Write the customers of a segment that may be targeted: no holdout, nobody who refused to be contacted.

    Raises
    ------
    NotThere
        If there is no such segment.
    """
    with warehouse.reading() as reading:
        night = read_night(reading, None)
        if night is None or segment_id not in night.profiles:
            raise NotThere(f"There is no segment {segment_id} on the newest published night.")
        query = (_SQL / "select_segment_audience.sql").read_text()
        file, rows = _copy(reading, query, {"segment_id": segment_id})
    return _logged(warehouse, night, file, rows, username, f"segment {segment_id}: {night.name(segment_id)}")


def item_audience(warehouse: Warehouse, item: str, customers: int, username: str) -> Audience:
    """Write the customers most likely to buy an item in the next 28 days, likeliest first, by `marts.audience`.

    Raises
    ------
    NotThere
        If the warehouse cannot tell, or nobody is likely to buy it.
    """
    from psycopg2.errors import InvalidParameterValue

    with warehouse.reading() as reading:
        night = read_night(reading, None)
        if night is None:
            raise NotThere("No night is published yet, so there is no audience for an item.")
        query = (_SQL / "select_item_audience.sql").read_text()
        try:
            file, rows = _copy(reading, query, {"item": item, "customers": min(customers, AUDIENCE_LIMIT)})
        except InvalidParameterValue as refused:
            hint = f". {refused.diag.message_hint}" if refused.diag.message_hint else ""
            raise NotThere(f"There is no such audience: {refused.diag.message_primary}{hint}.") from refused
    if not rows:
        file.close()
        raise NotThere(f"There is no audience for {item!r}: no such category or product, or nobody likely to buy it.")
    return _logged(warehouse, night, file, rows, username, f"item {item}, {customers} asked for")


def _copy(reading: Reading, query: str, values: dict[str, Any]) -> tuple[IO[bytes], int]:
    """Copy a query's rows as CSV into a file that stays in memory while it is small."""
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (Audience.blocks closes it)
    cursor = reading.connection.connection.cursor()
    try:
        bound = cursor.mogrify(query, values).decode()
        cursor.copy_expert(f"copy ({bound}) to stdout (format csv, header)", file)
        rows = int(cursor.rowcount)
    except BaseException:
        file.close()
        raise
    finally:
        cursor.close()
    file.seek(0)
    return file, rows


def _logged(warehouse: Warehouse, night: Night, file: IO[bytes], rows: int, username: str, subject: str) -> Audience:
    try:
        _log(warehouse, username, AUDIENCE, subject, night.day, rows)
    except BaseException:
        file.close()
        raise
    stem = re.sub(r"[^a-z0-9]+", "-", subject.partition(",")[0].lower()).strip("-")
    return Audience(file, rows, f"audience-{stem}-{night.day}.csv")


def _log(warehouse: Warehouse, username: str, kind: str, subject: str, as_of: date | None, rows: int) -> None:
    entry = {"username": username, "kind": kind, "subject": subject, "as_of": as_of, "rows": rows}
    with named_warehouse_errors(warehouse.ops), warehouse.ops.begin() as connection:
        connection.execute(insert(downloads), entry)
