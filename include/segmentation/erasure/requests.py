"""The requests in `ops.erasure_requests`: entered, taken up together, and remembered for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Engine, insert, select

from segmentation.config import Settings
from segmentation.errors import MissingPrivacyKey, OtherPrivacyKey
from segmentation.privacy.keyed_hash import erasure_mark, key_check, pseudonym
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import erasure_requests

OPEN, ERASING, ERASED = "open", "erasing", "erased"
TOMBSTONE, RETRAIN = "tombstone", "retrain"
CUSTOMER_ID = "customer_id"


@dataclass(frozen=True)
class Request:
    """A request that is being worked on.

    Attributes
    ----------
    request_id : int
        Its number; the customer's key stays out of logs and XComs.
    customer_ids : tuple of str
        The key as given and, with a privacy key, its pseudonym: whichever the lake has.
    policy : str
        ``tombstone`` or ``retrain``.
    first_day : date or None
        First business day of which the lake had rows of the customer.
    """

    request_id: int
    customer_ids: tuple[str, ...]
    policy: str
    first_day: date | None


@dataclass(frozen=True)
class ErasedCustomers:
    """Whom an extraction leaves out: by key while a request is worked on, by keyed hash for ever after."""

    customer_ids: frozenset[str]
    marks: frozenset[str]
    key: bytes | None

    def __bool__(self) -> bool:
        return bool(self.customer_ids or self.marks)

    def among(self, customer_ids: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
        """Tell for each key, of shape (B,), whether it is an erased customer's; a null is nobody's."""
        encoded = customer_ids.combine_chunks().dictionary_encode()
        erased = [self._holds(str(value)) for value in encoded.dictionary.to_pylist()]
        if not any(erased):
            return np.zeros(len(customer_ids), dtype=bool)
        found = pc.take(pa.array(erased, pa.bool_()), encoded.indices)
        return np.asarray(pc.fill_null(found, False), dtype=bool)

    def _holds(self, customer_id: str) -> bool:
        if customer_id in self.customer_ids:
            return True
        return self.key is not None and bool(self.marks) and erasure_mark(self.key, customer_id) in self.marks


#: What an extraction without a warehouse (a benchmark) leaves out.
NOBODY = ErasedCustomers(frozenset(), frozenset(), None)


def request_erasure(warehouse: Engine, customer_id: str, requested_by: str) -> int:
    """Enter a request and return its number.

    Parameters
    ----------
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    customer_id : str
        The shop's key or, where the mapping makes pseudonyms, either.
    requested_by : str
        A user or a ticket.
    """
    values = {"customer_id": customer_id.strip(), "requested_by": requested_by}
    with named_warehouse_errors(warehouse), warehouse.begin() as connection:
        number = connection.execute(insert(erasure_requests).values(values).returning(erasure_requests.c.request_id))
        return int(number.scalar_one())


def ids_in_lake(settings: Settings, customer_id: str) -> tuple[str, ...]:
    """Return what may stand for a customer in lake and warehouse: the key as given, and its pseudonym."""
    if settings.privacy.key is None:
        return (customer_id,)
    key = settings.privacy.key.get_secret_value().encode()
    return (customer_id, pseudonym(key, CUSTOMER_ID, customer_id))


def erased_customers(settings: Settings, warehouse: Engine) -> ErasedCustomers:
    """Return whom an extraction has to leave out.

    Raises
    ------
    MissingPrivacyKey
        If customers were erased and the key they were marked with is not set.
    OtherPrivacyKey
        If it is another one.
    """
    table = erasure_requests.c
    with named_warehouse_errors(warehouse), warehouse.connect() as connection:
        rows = connection.execute(
            select(table.request_id, table.customer_id, table.customer_marks, table.key_check)
        ).all()
    marked = [row for row in rows if row.customer_marks]
    key = settings.privacy.key.get_secret_value().encode() if settings.privacy.key is not None else None
    if marked and key is None:
        raise MissingPrivacyKey(f"leaving out {len(marked)} erased customers")
    if key is not None and (others := [row.request_id for row in marked if row.key_check != key_check(key)]):
        raise OtherPrivacyKey(others)
    in_clear = (ids_in_lake(settings, row.customer_id) for row in rows if row.customer_id is not None)
    return ErasedCustomers(
        frozenset(one for ids in in_clear for one in ids),
        frozenset(mark for row in marked for mark in row.customer_marks),
        key,
    )


def load_requests(settings: Settings, warehouse: Engine, request_ids: list[int] | None = None) -> list[Request]:
    """Return requests that are not finished.

    Parameters
    ----------
    settings : Settings
        The policy of requests that name none, and the key.
    warehouse : Engine
        The warehouse.
    request_ids : list of int, optional
        Which; those that an earlier attempt began by default, or if there are none, all that are open.
    """
    table = erasure_requests.c
    with named_warehouse_errors(warehouse), warehouse.connect() as connection:
        rows = connection.execute(
            select(table.request_id, table.customer_id, table.policy, table.first_day, table.status)
            .where(table.status != ERASED)
            .order_by(table.request_id)
        ).all()
    if request_ids is not None:
        rows = [row for row in rows if row.request_id in request_ids]
    # what was begun is finished first: a new request is measured against a lake that nobody is changing
    begun = [row for row in rows if row.status == ERASING]
    return [
        Request(
            row.request_id,
            ids_in_lake(settings, row.customer_id),
            row.policy or settings.privacy.models,
            row.first_day,
        )
        for row in begun or rows
    ]
