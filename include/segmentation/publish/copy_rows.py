"""Rows of DuckDB into a table of the warehouse, batch by batch, so that memory does not grow with the shop."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from sqlalchemy import Connection

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

_ROWS_PER_COPY = 100_000


def copy_rows(connection: Connection, rows: DuckDBPyRelation, table: str) -> None:
    """Append rows through COPY, in the caller's transaction.

    Parameters
    ----------
    connection : Connection
        Through psycopg2.
    rows : DuckDBPyRelation
        Columns are named as the table's, in any order, and are of types that CSV can carry.
    table : str
        Name of the table as SQL reads it.
    """
    from pyarrow import csv

    columns = ", ".join(rows.columns)
    cursor = connection.connection.cursor()
    for batch in rows.to_arrow_reader(_ROWS_PER_COPY):
        buffer = io.BytesIO()
        csv.write_csv(batch, buffer, csv.WriteOptions(include_header=False))
        buffer.seek(0)
        cursor.copy_expert(f"copy {table} ({columns}) from stdin (format csv)", buffer)
    cursor.close()
