"""Questions of marketing's with the queries that answer them, three for each table: one SQL file per table.

A file ``examples/<table>.sql`` holds the queries of ``marts.<table>``; each begins with its question as a comment and
ends with a semicolon. They are printed in docs/TABLES.md, and a test runs all of them as the role `marketing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import sqlparse

_FOLDER = Path(__file__).parent / "examples"


@dataclass(frozen=True)
class ExampleQuery:
    """A question of marketing's, and the query that answers it, without semicolon."""

    title: str
    sql: str


@cache
def example_queries(table: str) -> tuple[ExampleQuery, ...]:
    """Return the queries of a table of the marts, in the order of its file; none if it has no file.

    Parameters
    ----------
    table : str
        Name without schema.

    Raises
    ------
    ValueError
        If a query does not begin with its question as a comment.
    """
    file = _FOLDER / f"{table}.sql"
    statements = sqlparse.split(file.read_text()) if file.exists() else []
    return tuple(_parsed(file, statement) for statement in statements)


def _parsed(file: Path, statement: str) -> ExampleQuery:
    lines = statement.strip().splitlines()
    title = []
    while lines and lines[0].startswith("--"):
        title.append(lines.pop(0).removeprefix("--").strip())
    if not title:
        raise ValueError(f"{file.name}: a query does not begin with its question as a comment: {lines[0]}")
    return ExampleQuery(" ".join(title), "\n".join(lines).rstrip().rstrip(";"))
