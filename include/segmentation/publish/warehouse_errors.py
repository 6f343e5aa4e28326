"""What a failed statement in the warehouse means in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from segmentation.connections import named_errors, where
from segmentation.errors import (
    PermissionMissing,
    SegmentationError,
    WarehouseBusy,
    WarehouseFull,
    WarehouseNotReady,
)

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_NOT_MIGRATED = ("42P01", "42703", "3F000")
_BUSY = ("55P03", "57014", "40P01", "40001")
_FULL = ("53100",)
_DENIED = "42501"
_RIGHTS = {"schema": "usage", "database": "temporary"}


@contextmanager
def named_warehouse_errors(warehouse: Engine) -> Iterator[None]:
    """Turn a failure of the warehouse inside the block into a named error.

    Raises
    ------
    DatabaseUnreachable, LoginRefused
        No connection.
    WarehouseNotReady
        A table or column is missing.
    PermissionMissing
        The role may not do what publishing needs.
    WarehouseBusy
        A lock or a statement took too long, or two writers got in each other's way.
    WarehouseFull
        The server's disk is full.
    """
    url = warehouse.url.render_as_string(hide_password=True)
    with named_errors("warehouse", url):
        try:
            yield
        except (DBAPIError, psycopg2.Error) as error:
            found = _named(error, url)
            if found is None:
                raise
            raise found from error


def _named(error: Exception, url: str) -> SegmentationError | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "pgcode", None)
    message = (str(cause).strip().splitlines() or [""])[0]
    if code in _NOT_MIGRATED:
        return WarehouseNotReady(where(url), message)
    if code in _BUSY:
        return WarehouseBusy(where(url), message)
    if code in _FULL:
        return WarehouseFull(where(url), message)
    if code == _DENIED:
        denied = re.search(r"permission denied (?:for|to \w+ \w+ in) (\w+) \"?([^\s\"]+)", message)
        kind, name = denied.groups() if denied else ("", message)
        user = re.sub(r".*//([^:@]*).*", r"\1", url)
        right = _RIGHTS.get(kind, "select, insert, update, delete")
        return PermissionMissing(f"{kind} {name}" if kind in _RIGHTS else name, user, right)
    return None
