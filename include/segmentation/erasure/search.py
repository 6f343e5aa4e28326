"""Look for customers in every file of the product's home and every table of the warehouse: what to remove, and proof.

Files that were sent to destinations: `remove_from_exports`.

A customer's key is looked for in every column ``customer_id``; order items, which have none, through the keys of the
customer's orders. A key that is not a plain number is also looked for as a word in every other text column and file:
a number alone would be found in half of all sentences.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Column, Engine, Table, Text, cast, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from segmentation.config import Settings
from segmentation.erasure.requests import CUSTOMER_ID
from segmentation.lake import brought
from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import erasure_certificates, erasure_requests, metadata

if TYPE_CHECKING:
    import duckdb

ORDER_ID = "order_id"
#: Files of words among the product's own: manifests and descriptions, Data Docs, reports.
_TEXT_FILES = (".json", ".html", ".txt")
#: Where the requests themselves are.
_OWN_TABLES = (erasure_requests, erasure_certificates)
_SHORTEST_WORD = 4


@dataclass
class Search:
    """What a search found.

    Attributes
    ----------
    rows : dict of (str, str) to int
        (customer key, place) -> rows of the customer. Nothing may be left here when a certificate is written.
    first_days : dict of str to date
        Customer key -> first business day of which the lake has rows.
    files, tables : int
        Files and tables that were looked through.
    changed : dict of Path to None
        Files that hold rows of a customer, in order.
    not_searched : list of str
        Destinations that let nobody look.
    """

    rows: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    first_days: dict[str, date] = field(default_factory=dict)
    files: int = 0
    tables: int = 0
    changed: dict[Path, None] = field(default_factory=dict)
    not_searched: list[str] = field(default_factory=list)

    def of(self, customer_ids: Iterable[str]) -> dict[str, int]:
        """Return {place: rows} of one customer."""
        wanted = set(customer_ids)
        found: dict[str, int] = defaultdict(int)
        for (customer_id, place), rows in sorted(self.rows.items()):
            if customer_id in wanted:
                found[place] += rows
        return dict(found)


def is_word(customer_id: str) -> bool:
    """Tell whether a key is told from other text by itself.

    Examples
    --------
    >>> is_word("4711"), is_word("C-4711")
    (False, True)
    """
    return len(customer_id) >= _SHORTEST_WORD and not customer_id.isdecimal()


def word_pattern(customer_id: str) -> str:
    """Return a regular expression, the same to Python and Postgres, that finds a key as a whole word.

    Examples
    --------
    >>> re.sub(word_pattern("C-47"), "(erased)", "C-47, C-471, XC-47, 'C-47'")
    "(erased), C-471, XC-47, '(erased)'"
    """
    return rf"(?<![A-Za-z0-9_-]){re.escape(customer_id)}(?![A-Za-z0-9_-])"


def search_files(settings: Settings, customer_ids: Sequence[str], order_ids: dict[str, str] | None = None) -> Search:
    """Look through lake, Data Docs and reports.

    Parameters
    ----------
    settings : Settings
        Where they are.
    customer_ids : sequence of str
        Whom to look for.
    order_ids : dict of str to str, optional
        Order key -> customer, as `orders_of` found before the orders were removed; looked up by default.
    """
    import duckdb

    found = Search()
    bring_everything(settings)
    with duckdb.connect(config={"threads": settings.features.threads}) as connection:
        connection.execute("set timezone = 'UTC'")
        groups = parquet_files(settings.lake.root)
        orders = orders_of(connection, groups, customer_ids) if order_ids is None else order_ids
        for columns, files in groups.items():
            found.files += len(files)
            if CUSTOMER_ID in columns:
                _note(found, settings, _rows_with(connection, files, CUSTOMER_ID, {one: one for one in customer_ids}))
            elif ORDER_ID in columns and orders:
                _note(found, settings, _rows_with(connection, files, ORDER_ID, orders))
    for file in text_files(settings):
        found.files += 1
        text = file.read_text(encoding="utf-8", errors="replace")
        for one in filter(is_word, customer_ids):
            if mentions := len(re.findall(word_pattern(one), text)):
                found.rows[one, file.relative_to(settings.kept).parts[0]] += mentions
                found.changed[file] = None
    return found


def bring_everything(settings: Settings) -> None:
    """See to it that all files of lake, Data Docs and reports are here as they are now."""
    settings.lake.refresh()
    for folder in (settings.lake.root, settings.data_docs, settings.reports):
        brought(folder)


def search_tables(warehouse: Engine, customer_ids: Sequence[str]) -> Search:
    """Look through every table of the warehouse but those of the requests."""
    found = Search()
    with named_warehouse_errors(warehouse), warehouse.connect() as connection:
        for table in metadata.sorted_tables:
            if table in _OWN_TABLES:
                continue
            found.tables += 1
            if CUSTOMER_ID in table.c:
                key = table.c[CUSTOMER_ID]
                counted = connection.execute(select(key, func.count()).where(key.in_(customer_ids)).group_by(key)).all()
                for customer_id, rows in counted:
                    found.rows[customer_id, table.fullname] += rows
            for one in filter(is_word, customer_ids):
                if columns := mentioning_columns(table):
                    matches = [cast(column, Text).regexp_match(word_pattern(one)) for column in columns]
                    if rows := connection.scalar(select(func.count()).select_from(table).where(or_(*matches))):
                        found.rows[one, table.fullname] += rows
    return found


def mentioning_columns(table: Table) -> list[Column]:
    """Return a table's columns of words: not its keys, which are of segments, products and destinations."""
    return [
        column
        for column in table.c
        if isinstance(column.type, Text | ARRAY | JSONB) and column.name != CUSTOMER_ID and not column.primary_key
    ]


def parquet_files(root: Path) -> dict[tuple[str, ...], list[Path]]:
    """Return every parquet file below a folder, grouped by its columns."""
    groups: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for file in sorted(root.rglob("*.parquet")):
        schema: pa.Schema = pq.read_schema(file)
        groups[tuple(f"{column.name}" for column in schema)].append(file)
    return groups


def orders_of(
    connection: duckdb.DuckDBPyConnection, groups: dict[tuple[str, ...], list[Path]], customer_ids: Sequence[str]
) -> dict[str, str]:
    """Return order key -> customer for orders that are of these customers and of nobody else."""
    files = [str(file) for columns, some in groups.items() if {ORDER_ID, CUSTOMER_ID} <= set(columns) for file in some]
    if not files:
        return {}
    return dict(
        connection.execute(
            "select order_id::text, min(customer_id::text) from read_parquet($files, hive_partitioning = false, "
            "union_by_name = true) where order_id is not null group by 1 "
            "having bool_or(list_contains($ids, customer_id::text)) "
            "and bool_and(customer_id is null or list_contains($ids, customer_id::text))",
            {"files": files, "ids": list(customer_ids)},
        ).fetchall()
    )


def text_files(settings: Settings) -> list[Path]:
    """Return the files of words in lake, Data Docs and reports."""
    roots = (settings.lake.root, settings.data_docs, settings.reports)
    return [file for root in roots for file in sorted(root.rglob("*")) if file.suffix in _TEXT_FILES and file.is_file()]


def _rows_with(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], column: str, owners: dict[str, str]
) -> list[tuple[str, str, int]]:
    """Return (customer, file, rows) of rows whose column holds one of the keys."""
    found = connection.execute(
        f"select {column}::text, filename, count(*) from read_parquet($files, hive_partitioning = false, "  # noqa: S608
        f"filename = true, union_by_name = true) where list_contains($keys, {column}::text) group by all order by all",
        {"files": [str(file) for file in files], "keys": list(owners)},
    ).fetchall()
    return [(owners[key], file, rows) for key, file, rows in found]


def _note(found: Search, settings: Settings, rows: Sequence[tuple[str, str, int]]) -> None:
    for customer_id, name, count in rows:
        file = Path(name)
        parts = file.relative_to(settings.lake.root).parts
        place = "/".join(part for part in parts[:-1] if "=" not in part)
        found.rows[customer_id, f"lake/{place}"] += count
        found.changed[file] = None
        for part in parts:
            if part.startswith("day="):
                day = date.fromisoformat(part.removeprefix("day="))
                found.first_days[customer_id] = min(day, found.first_days.get(customer_id, day))
