"""A query of marketing's, answered as CSV."""

from __future__ import annotations

import io

import psycopg2
import sqlparse
from sqlalchemy import text

from segmentation.connections import engine_for, named_errors
from segmentation.errors import QueryRefused
from segmentation.publish.roles import MARKETING_STATEMENT_TIMEOUT

_READING = ("select", "with", "values", "table")
_DENIED = "42501"
_TOO_LONG = "57014"


def run_query(url: str, sql: str) -> str:
    """Run one select and return its rows as CSV with a header; nothing can be written.

    Parameters
    ----------
    url : str
        libpq URL of the warehouse, as `marketing`.
    sql : str
        The query; a closing semicolon may be left in.

    Returns
    -------
    str
        Comma-separated values as Postgres writes them: null is empty, booleans are t and f.

    Raises
    ------
    DatabaseUnreachable, LoginRefused
        If no connection can be made.
    QueryRefused
        If the query is wrong, reads what the role may not read, writes, or takes too long.
    """
    statements = [part for part in sqlparse.split(sql) if sqlparse.format(part, strip_comments=True).strip(" ;\n")]
    if len(statements) != 1 or _first_word(statements[0]) not in _READING:
        raise QueryRefused("one query that reads is allowed here, a select; marketing may not change anything")
    answer = io.StringIO()
    engine = engine_for(url)
    # the line break ends a comment in the query's last line
    statement = f"copy (\n{sql.strip().rstrip(';')}\n) to stdout (format csv, header)"
    try:
        with named_errors("warehouse", url), engine.begin() as connection:
            connection.execute(text("set transaction read only"))
            connection.execute(
                text("select set_config('statement_timeout', :limit, true)"), {"limit": MARKETING_STATEMENT_TIMEOUT}
            )
            cursor = connection.connection.cursor()
            try:
                cursor.copy_expert(statement, answer)
            except psycopg2.OperationalError as error:
                # a lost connection is not the query's fault
                if error.pgcode is None:
                    raise
                raise QueryRefused(_reason(error)) from error
            except psycopg2.Error as error:
                raise QueryRefused(_reason(error)) from error
    finally:
        engine.dispose()
    return answer.getvalue()


def _first_word(statement: str) -> str:
    bare = sqlparse.format(statement, strip_comments=True).lstrip("( \n")
    return bare.split(maxsplit=1)[0].lower()


def _reason(error: psycopg2.Error) -> str:
    if error.pgcode == _TOO_LONG:
        return f"it took longer than {MARKETING_STATEMENT_TIMEOUT}"
    parts = [error.diag.message_primary or str(error).strip()]
    if error.pgcode == _DENIED:
        parts.append("this role may read the tables of schema marts")
    if error.diag.message_hint:
        parts.append(error.diag.message_hint.rstrip("."))
    return "; ".join(" ".join(part.split()) for part in parts)
