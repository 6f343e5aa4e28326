"""How the pages read the warehouse: read-only, with a time limit, one moment for the whole page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from segmentation.publish.warehouse_errors import named_warehouse_errors

_SQL = Path(__file__).parent
#: Longest query of a page; who waits longer has gone away.
STATEMENT_TIMEOUT_MS = 15_000

Row = dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """One read-only transaction: all queries of a page see the same night."""

    connection: Connection

    def rows(self, file: str, **values: Any) -> list[Row]:
        """Run a query of this package's SQL files, values bound, and return its rows."""
        return [dict(row) for row in self.connection.execute(text(_query(file)), values).mappings()]


@dataclass(frozen=True)
class Warehouse:
    """Where the pages read.

    Attributes
    ----------
    marts : Engine
        For what marketing may see; the `marketing` role where there is a connection for it.
    ops : Engine
        For runs and gates, and to log downloads; `segmentation_publish`.
    """

    marts: Engine
    ops: Engine

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Open a transaction on the marts.

        Raises
        ------
        DatabaseUnreachable, LoginRefused, PermissionMissing, WarehouseNotReady, WarehouseBusy
            If the warehouse cannot be read.
        """
        with _read_only(self.marts) as connection:
            yield Reading(connection)

    @contextmanager
    def reading_ops(self) -> Iterator[Reading]:
        """Open a transaction that sees ops, too; raises as `reading`."""
        with _read_only(self.ops) as connection:
            yield Reading(connection)


@contextmanager
def _read_only(engine: Engine) -> Iterator[Connection]:
    with named_warehouse_errors(engine), engine.begin() as connection:
        connection.execute(text("set transaction isolation level repeatable read, read only"))
        connection.execute(
            text("select set_config('statement_timeout', :limit, true)"), {"limit": str(STATEMENT_TIMEOUT_MS)}
        )
        yield connection


@cache
def _query(file: str) -> str:
    return (_SQL / file).read_text()
