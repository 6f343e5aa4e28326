"""Does the source have what the mapping says, in a type that can be read? And the SQL that reads it."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from segmentation.catalog import DAILY_TABLES, ORDER_ITEMS
from segmentation.errors import ChangedType, InvalidMapping, MissingColumn, MissingTable, PermissionMissing
from segmentation.extract.contract import CHANGE_COLUMNS, COLUMNS, TIME_COLUMNS, ContractColumn, Kind
from segmentation.extract.mapping import Expression, Mapping, TableMapping
from segmentation.extract.source import Source, load_sql, quote_name, quote_text

_INTEGERS = {"smallint", "integer", "bigint"}
_TEXTS = {"text", "character varying", "character", "citext", "name", "enum"}
_NUMBERS = _INTEGERS | {"numeric", "real", "double precision", "money"}
_READABLE: dict[Kind, set[str]] = {
    Kind.ID: _INTEGERS | _TEXTS | {"uuid", "numeric"},
    Kind.TEXT: _TEXTS,
    Kind.LABEL: _INTEGERS | _TEXTS | {"uuid", "numeric", "boolean"},
    Kind.MONEY: _NUMBERS,
    Kind.NUMBER: _NUMBERS,
    Kind.TIME: {"timestamp with time zone", "timestamp without time zone", "date"},
    Kind.DAY: {"timestamp with time zone", "timestamp without time zone", "date"},
    Kind.FLAG: {"boolean"},
}
#: What an error names as the expected type: one that a cast can be written with.
_EXPECTED: dict[Kind, str] = {
    Kind.ID: "bigint",
    Kind.TEXT: "text",
    Kind.LABEL: "text",
    Kind.MONEY: "numeric",
    Kind.NUMBER: "numeric",
    Kind.TIME: "timestamptz",
    Kind.DAY: "date",
    Kind.FLAG: "boolean",
}
TIME_TYPE = pa.timestamp("us", tz="UTC")
_SAMPLE_SHARE = 0.02
_PERMISSION_DENIED = "42501"


@dataclass(frozen=True)
class TableLayout:
    """How one table of the contract is read.

    Attributes
    ----------
    table
        Name of the contract.
    subquery
        SQL in parentheses that yields the table's contract columns in the lake's types.
    sample
        The same of a part of the table's blocks, or of all rows where the relation cannot be sampled (a view).
    sample_share
        Share of the rows that ``sample`` yields, about.
    columns
        The columns that ``subquery`` yields.
    schema
        Arrow schema of the table's files in the lake.
    personal
        Columns that become pseudonyms on the way.
    change
        SQL of the instant at which a row of the relation was changed or arrived, in which an index can be used; ''
        where the shop has no such column.
    """

    table: str
    subquery: str
    sample: str
    sample_share: float
    columns: tuple[str, ...]
    schema: pa.Schema
    personal: frozenset[str] = frozenset()
    change: str = ""

    def changed_since(self, instant: str) -> str:
        """Return `subquery` with the rows only that were changed or arrived at an instant, an SQL literal, or later."""
        return f"{self.subquery[:-1]} where {self.change} >= {instant})" if self.change else ""


@dataclass(frozen=True)
class SourceLayout:
    """How each mapped table is read.

    Attributes
    ----------
    tables
        By name of the contract; tables that the shop lacks are left out.
    digest
        Changes whenever the same source rows would give other day files: other mapping, types or timezone.
    source_columns
        Contract table -> column of the source -> type; all columns of the relation, also those that are not read.
    """

    tables: dict[str, TableLayout]
    digest: str
    source_columns: dict[str, dict[str, str]]


@dataclass(frozen=True)
class _Found:
    """A source column's type, as far as reading it depends on it."""

    type_name: str
    numeric_scale: int | None = None


def inspect_source(source: Source, mapping: Mapping, timezone: str, key_check: str = "") -> SourceLayout:
    """Check every mapped table and column in the source and work out how to read them.

    Parameters
    ----------
    source : Source
        The open source.
    mapping : Mapping
        What the shop calls its tables and columns.
    timezone : str
        IANA name of the shop's timezone; times without a timezone are read in it.
    key_check : str
        Tells the key of pseudonyms from another one: with another key, day files are other ones.

    Returns
    -------
    SourceLayout

    Raises
    ------
    MissingTable, MissingColumn
        If something mapped does not exist (any more).
    ChangedType
        If a column has a type that cannot be read as what the contract needs.
    PermissionMissing
        If the role may not read it.
    InvalidMapping
        If an expression of the mapping file is no valid SQL for its table.
    """
    catalog: dict[str, dict[str, dict[str, object]]] = {}
    for row in source.query(load_sql("inspect_columns"), "the source's catalog").to_pylist():
        catalog.setdefault(f"{row['schema_name']}.{row['relation_name']}", {})[row["column_name"]] = row
    found = {
        table: _inspect_table(source, mapping, table, content, catalog) for table, content in mapping.tables.items()
    }
    # pseudonyms are words
    whole_number_ids = _whole_number_ids(found) - mapping.personal
    tables = {
        table: _layout(
            table,
            content,
            found[table],
            whole_number_ids,
            timezone,
            can_be_sampled=all(row["can_be_sampled"] for row in catalog[content.table].values()),
            personal=mapping.personal & set(COLUMNS[table]),
        )
        for table, content in mapping.tables.items()
    }
    # snapshots are fetched anew each night: a change to them must not fetch the whole history again
    daily = [name for name in DAILY_TABLES if name in tables]
    parts = [timezone, *((tables[name].subquery, str(tables[name].schema)) for name in daily)]
    if personal := sorted(set().union(*(tables[name].personal for name in daily))):
        parts += [personal, key_check]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    source_columns = {
        table: {name: str(row["type_name"]) for name, row in sorted(catalog[content.table].items())}
        for table, content in mapping.tables.items()
    }
    return SourceLayout(tables, digest, source_columns)


def _inspect_table(
    source: Source,
    mapping: Mapping,
    table: str,
    content: TableMapping,
    catalog: dict[str, dict[str, dict[str, object]]],
) -> dict[str, _Found]:
    """Return the type of each mapped column of one table."""
    present = catalog.get(content.table)
    if present is None:
        raise MissingTable(table, content.table, _nearest(content.table, catalog))
    if not next(iter(present.values()))["may_enter"]:
        raise PermissionMissing(f"schema {content.schema_name}", source.user, "usage")
    found: dict[str, _Found] = {}
    for column, value in content.columns.items():
        kind = COLUMNS[table][column].kind
        if value is None:
            continue
        if isinstance(value, Expression):
            found[column] = _Found(_type_of_expression(source, mapping, table, column, value.expression, content))
            shown = f"({value.expression})"
        else:
            if value not in present:
                unmapped = [name for name in present if name not in content.columns.values()]
                raise MissingColumn(table, content.table, value, _nearest(value, present), unmapped, column)
            if not present[value]["may_read"]:
                raise PermissionMissing(content.table, source.user, "select")
            scale = present[value]["numeric_scale"]
            found[column] = _Found(str(present[value]["type_name"]), scale if isinstance(scale, int) else None)
            shown = value
        if found[column].type_name not in _READABLE[kind]:
            raise ChangedType(content.table, shown, found[column].type_name, _EXPECTED[kind])
    return found


def _type_of_expression(
    source: Source, mapping: Mapping, table: str, column: str, expression: str, content: TableMapping
) -> str:
    relation = f"{quote_name(content.schema_name)}.{quote_name(content.relation_name)}"
    sql = load_sql("inspect_expression").format(expression=expression, relation=relation)
    try:
        return str(source.row(sql, content.table)["type_name"])
    except Exception as error:
        state = getattr(error, "sqlstate", None)
        if state == _PERMISSION_DENIED:
            raise PermissionMissing(content.table, source.user, "select") from error
        if state is None or not state.startswith("42"):
            raise
        reason = str(error).partition("ERROR:")[2].strip().splitlines()[0]
        raise InvalidMapping(
            mapping.path,
            f"the expression of {table}.columns.{column}, {expression!r}, does not work on {content.table}: {reason}",
            "Correct it, or write null if the shop has no such column.",
        ) from error


def _whole_number_ids(found: dict[str, dict[str, _Found]]) -> set[str]:
    """Return the id columns that are whole numbers in every table that has them, so that tables can be joined."""
    types: dict[str, set[str]] = {}
    for table, columns in found.items():
        for column, type_ in columns.items():
            if COLUMNS[table][column].kind is Kind.ID:
                types.setdefault(column, set()).add(type_.type_name)
    return {column for column, names in types.items() if names <= _INTEGERS}


def _layout(
    table: str,
    content: TableMapping,
    found: dict[str, _Found],
    whole_number_ids: set[str],
    timezone: str,
    can_be_sampled: bool,
    personal: frozenset[str],
) -> TableLayout:
    parts: list[str] = []
    fields: list[pa.Field] = []
    change = ""
    for column, contract in COLUMNS[table].items():
        arrow_type, sql_type = _types(column, contract, whole_number_ids)
        value = content.columns[column]
        if value is None:
            sql = f"{contract.default}::{sql_type}"
        else:
            raw = f"({value.expression}\n)" if isinstance(value, Expression) else quote_name(value)
            sql = _cast(raw, contract.kind, found[column], sql_type, timezone)
            if column == CHANGE_COLUMNS.get(table):
                change = sql
            if contract.kind is Kind.TIME and column != TIME_COLUMNS.get(table):
                sql = _representable(sql)
        parts.append(f"{sql} as {column}")
        fields.append(pa.field(column, arrow_type))
    columns = tuple(COLUMNS[table])
    if table == ORDER_ITEMS:
        fields.append(pa.field(TIME_COLUMNS[ORDER_ITEMS], TIME_TYPE))
    relation = f"{quote_name(content.schema_name)}.{quote_name(content.relation_name)}"
    # names are quoted; expressions are the operator's own SQL, and run read-only with the extract role's rights
    subquery = f"(select {', '.join(parts)} from {relation})"  # noqa: S608
    # repeatable, so that a retry of the same day cuts the history into the same queries
    sample = f"{subquery[:-1]} tablesample system ({_SAMPLE_SHARE:.0%}) repeatable (0))".replace("%", "")
    return TableLayout(
        table,
        subquery,
        sample if can_be_sampled else subquery,
        _SAMPLE_SHARE if can_be_sampled else 1.0,
        columns,
        pa.schema(fields),
        personal,
        change,
    )


def _types(column: str, contract: ContractColumn, whole_number_ids: set[str]) -> tuple[pa.DataType, str]:
    """Return a column's type in the lake and the SQL type that arrives as it."""
    match contract.kind:
        case Kind.ID if column in whole_number_ids:
            return pa.int64(), "bigint"
        case Kind.ID | Kind.TEXT | Kind.LABEL:
            return pa.string(), "text"
        case Kind.MONEY | Kind.NUMBER:
            return pa.float64(), "float8"
        case Kind.TIME:
            return TIME_TYPE, "timestamptz"
        case Kind.DAY:
            return pa.date32(), "date"
        case Kind.FLAG:
            return pa.bool_(), "boolean"


def _cast(raw: str, kind: Kind, found: _Found, sql_type: str, timezone: str) -> str:
    if kind is Kind.TIME:
        match found.type_name:
            case "timestamp without time zone":
                return f"({raw} at time zone {quote_text(timezone)})"
            case "date":
                return f"({raw}::timestamp at time zone {quote_text(timezone)})"
        return raw
    if kind is Kind.DAY and found.type_name == "timestamp with time zone":
        return f"({raw} at time zone {quote_text(timezone)})::{sql_type}"
    exact = found.type_name in _INTEGERS or (found.numeric_scale is not None and found.numeric_scale <= 2)
    if kind is Kind.MONEY and not exact:
        return f"round({raw}::numeric, 2)::{sql_type}"
    if found.type_name == "money":
        return f"{raw}::numeric::{sql_type}"
    return f"{raw}::{sql_type}"


def _representable(sql: str) -> str:
    """Read an instant that no calendar of the later steps holds (infinity, the year 12000) as unknown."""
    return f"case when {sql} >= timestamptz '0001-01-02Z' and {sql} < timestamptz '9999-12-31Z' then {sql} end"


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    """Order known names by likeness to the one that was looked for."""
    return sorted(known, key=lambda other: (-difflib.SequenceMatcher(None, name, other).ratio(), other))
