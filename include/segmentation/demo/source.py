"""A shop's source database in the contract's tables, and a fast, all-or-nothing way to fill it.

Schema, rows, indexes, grants and the note of what was loaded come in one transaction: a killed load leaves an empty
database, and the next try starts over; a second load finds the note and does nothing.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv
from sqlalchemy import Connection, text

from segmentation.catalog import EXTRACT_ROLE, RATES, SOURCE_TABLES
from segmentation.demo.postgres import SOURCE_DATABASE, Server
from segmentation.errors import LoadMismatch, OtherShopLoaded

SCHEMA = "shop"
#: Tables of the contract that the demo shops fill; `shop.exchange_rates` is there, but they sell in one currency.
SHOP_TABLES = tuple(table for table in SOURCE_TABLES if table != RATES)
_ROWS_PER_COPY = 250_000


@dataclass(frozen=True)
class LoadReport:
    """What is in a shop's source database.

    Attributes
    ----------
    database
        Name of the database.
    content
        What was loaded, and with which parameters.
    rows
        Rows per table.
    totals
        Figures that were checked against the source's own, by name; money as text with two decimals.
    seconds
        Wall time of this call.
    loaded_now
        False: it was there already, and nothing was done.
    """

    database: str
    content: dict[str, Any]
    rows: dict[str, int]
    totals: dict[str, str]
    seconds: float
    loaded_now: bool

    def lines(self) -> list[str]:
        """Return the report for people, a line per entry."""
        rows = ", ".join(f"{count:,} {table}" for table, count in self.rows.items() if count)
        head = f"loaded in {self.seconds:.1f} s: {rows}" if self.loaded_now else f"there already: {rows}"
        return [head, *(f"{name}: {value}" for name, value in self.totals.items())]


def load_source(
    server: Server,
    database: str,
    content: Mapping[str, Any],
    tables: Sequence[str],
    fill: Callable[[Connection], tuple[dict[str, int], dict[str, str]]],
) -> LoadReport:
    """Create and fill a shop's source database, once.

    Parameters
    ----------
    server : Server
        The running embedded server.
    database : str
        Name of the database; made unless it exists.
    content : mapping
        What is loaded, JSON-able; tells a load that is there already from another one.
    tables : sequence of str
        Tables that this shop has.
    fill : callable
        Copies the rows through the connection it gets and returns rows per table and checked totals. Must not commit.

    Returns
    -------
    LoadReport
        The same for a second call, except for ``seconds`` and ``loaded_now``.

    Raises
    ------
    OtherShopLoaded
        If the database holds something else.
    """
    started = time.monotonic()
    create_database(server, database)
    engine = server.engine(database)
    try:
        with engine.begin() as connection:
            # two loaders at once: the second waits, then finds the first one's note
            connection.execute(text("select pg_advisory_xact_lock(hashtext('segmentation shop'))"))
            note = _note(connection)
            if note is None:
                create_tables(connection, tables)
                rows, totals = fill(connection)
                finish_tables(connection, tables)
                note = {"content": dict(content), "rows": rows, "totals": totals}
                _write_note(connection, note)
                return LoadReport(database, **note, seconds=time.monotonic() - started, loaded_now=True)
    finally:
        engine.dispose()
    if note.get("content") != dict(content):
        raise OtherShopLoaded(database, note.get("content"), dict(content))
    return LoadReport(database, **note, seconds=time.monotonic() - started, loaded_now=False)


def create_source(server: Server, database: str = SOURCE_DATABASE, tables: Sequence[str] = SHOP_TABLES) -> None:
    """Create an empty shop: database, schema `shop`, indexes, and what the extract role may read.

    Parameters
    ----------
    server : Server
        The running embedded server.
    database : str
        Name of the database; made unless it exists.
    tables : sequence of str
        Tables that this shop has; all of the contract's by default.

    Raises
    ------
    sqlalchemy.exc.ProgrammingError
        If the database has a schema `shop` already.
    """
    create_database(server, database)
    engine = server.engine(database)
    with engine.begin() as connection:
        create_tables(connection, tables)
        finish_tables(connection, tables)
    engine.dispose()


def create_database(server: Server, database: str, template: str = "template1") -> None:
    """Create a source database unless it exists, and let the extract role connect to it.

    Parameters
    ----------
    server : Server
        The running embedded server.
    database, template : str
        Name of the new database, and of the one it is copied from.
    """
    server.create_database(database, template=template)
    engine = server.engine("postgres")
    with engine.begin() as connection:
        connection.execute(text(f"grant connect on database {database} to {EXTRACT_ROLE}"))
    engine.dispose()


def create_tables(connection: Connection, tables: Sequence[str] = SHOP_TABLES) -> None:
    """Create schema `shop` with empty tables, without indexes, in the caller's transaction."""
    connection.execute(text(sql_file("source_schema.sql")))
    for absent in set(SHOP_TABLES) - set(tables):
        connection.execute(text(f"drop table {SCHEMA}.{absent}"))


def finish_tables(connection: Connection, tables: Sequence[str] = SHOP_TABLES) -> None:
    """Add indexes, planner statistics and grants, in the caller's transaction; do it after the rows are in."""
    for line in sql_file("source_indexes.sql").splitlines():
        if any(f" on {SCHEMA}.{table} " in line for table in tables):
            connection.execute(text(line))
    connection.execute(text(sql_file("source_grants.sql")))
    for table in tables:
        connection.execute(text(f"analyze {SCHEMA}.{table}"))


def copy_frame(connection: Connection, table: str, frame: pd.DataFrame) -> int:
    """Append a frame's rows to a table through COPY, in the caller's transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Connection through psycopg2.
    table : str
        Name with schema, for example ``shop.orders``.
    frame : pandas.DataFrame
        Columns are named as the table's, in any order; columns left out get their default. Missing values
        become null, an empty string stays one; timestamps must know their timezone.

    Returns
    -------
    int
        Rows copied.

    Raises
    ------
    psycopg2.Error
        If the table refuses a row (nothing of this call stays after the caller's rollback).
    """
    columns = ", ".join(f'"{name}"' for name in frame.columns)
    command = f"copy {table} ({columns}) from stdin (format csv)"
    raw = connection.connection.cursor()
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    for start in range(0, len(frame), _ROWS_PER_COPY):
        buffer = io.BytesIO()
        # unquoted nothing is null and "" is the empty string, for Arrow and Postgres alike
        pa.csv.write_csv(
            _plain_types(rows.slice(start, _ROWS_PER_COPY)), buffer, pa.csv.WriteOptions(include_header=False)
        )
        buffer.seek(0)
        raw.copy_expert(command, buffer)
    raw.close()
    return len(frame)


def _plain_types(rows: pa.Table) -> pa.Table:
    """Return the table with dictionary columns (pandas categoricals) decoded: CSV cannot carry them."""
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field for field in rows.schema
    ]
    return rows.cast(pa.schema(fields))


def sql_file(name: str) -> str:
    """Return the text of an SQL file of this package."""
    return resources.files(__package__).joinpath(name).read_text()


def require_equal(shop: str, in_file: Mapping[str, int], in_database: Mapping[str, int]) -> None:
    """Compare what was loaded with the file it came from.

    Parameters
    ----------
    shop : str
        Whose figures they are.
    in_file, in_database : mapping of str to int
        The same figures from both; money in cents.

    Raises
    ------
    LoadMismatch
        For the first figure that differs.
    """
    for figure, expected in in_file.items():
        if in_database[figure] != expected:
            raise LoadMismatch(shop, figure, expected, in_database[figure])


def _note(connection: Connection) -> dict[str, Any] | None:
    """Return what was noted about the load; {} if a schema is there without a note, None if there is none."""
    found = connection.execute(
        text("select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = :schema"),
        {"schema": SCHEMA},
    ).first()
    if found is None:
        return None
    return dict(json.loads(found[0])) if found[0] else {}


def _write_note(connection: Connection, note: Mapping[str, Any]) -> None:
    quoted = connection.scalar(text("select quote_literal(:note)"), {"note": json.dumps(note)})
    connection.exec_driver_sql(f"comment on schema {SCHEMA} is {quoted}".replace("%", "%%"))
