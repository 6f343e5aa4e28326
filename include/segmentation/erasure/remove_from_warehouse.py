"""Remove customers from every table of the warehouse."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, Table, Text, delete, func, update

from segmentation.config import Settings
from segmentation.erasure.requests import CUSTOMER_ID, load_requests
from segmentation.erasure.search import is_word, mentioning_columns, word_pattern
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import activation_log, erasure_certificates, erasure_requests, metadata

#: Stands where a customer's key was in a sentence.
ERASED_WORD = "(erased)"


def remove_from_warehouse(settings: Settings, warehouse: Engine, request_ids: list[int]) -> dict[str, int]:
    """Delete the customers' rows from every table with a ``customer_id``, and their keys from sentences.

    The log of what was sent goes later, with `tell_destinations`: it says whom to tell. Figures about groups stay as
    they were published. One transaction: a reader sees all of it or nothing.

    Parameters
    ----------
    settings : Settings
        All settings.
    warehouse : Engine
        The warehouse, as `segmentation_publish`.
    request_ids : list of int
        Requests that `begin_erasure` took up.

    Returns
    -------
    dict of str to int
        Table -> rows deleted or changed.
    """
    ids = [one for request in load_requests(settings, warehouse, request_ids) for one in request.customer_ids]
    changed: dict[str, int] = {}
    with named_warehouse_errors(warehouse), warehouse.begin() as connection:
        for table in metadata.sorted_tables:
            if table in (erasure_requests, erasure_certificates, activation_log):
                continue
            rows = 0
            if CUSTOMER_ID in table.c:
                rows += connection.execute(delete(table).where(table.c[CUSTOMER_ID].in_(ids))).rowcount
            rows += _remove_mentions(connection, table, ids)
            if rows:
                changed[table.fullname] = rows
    return changed


def _remove_mentions(connection: Connection, table: Table, ids: Sequence[str]) -> int:
    rows = 0
    for one in filter(is_word, ids):
        pattern = word_pattern(one)
        for column in mentioning_columns(table):
            if isinstance(column.type, Text):
                rows += connection.execute(
                    update(table)
                    .where(column.regexp_match(pattern))
                    .values({column: func.regexp_replace(column, pattern, ERASED_WORD, "g")})
                ).rowcount
    return rows
