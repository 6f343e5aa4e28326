"""The SQL files of this step, and how values are bound to them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_FOLDER = Path(__file__).parent


@cache
def query(name: str) -> str:
    """Return the text of ``<name>.sql`` without its comment lines."""
    lines = (_FOLDER / f"{name}.sql").read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("--"))


def bind(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """Pick those of ``values`` that ``<name>.sql`` mentions (DuckDB refuses any other)."""
    mentioned = set(re.findall(r"\$([a-z_0-9]+)", query(name)))
    return {key: value for key, value in values.items() if key in mentioned}


def run(connection: duckdb.DuckDBPyConnection, name: str, values: dict[str, Any]) -> None:
    """Execute ``<name>.sql`` for its effect."""
    connection.execute(query(name), bind(name, values))


def rows(connection: duckdb.DuckDBPyConnection, name: str, values: dict[str, Any]) -> pa.Table:
    """Execute ``<name>.sql`` and return its rows."""
    return connection.sql(query(name), params=bind(name, values)).to_arrow_table()
