"""The mapping file: what a shop calls the tables and columns of the contract."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, field_validator

from segmentation.catalog import ORDERS, SOURCE_TABLES
from segmentation.errors import InvalidMapping
from segmentation.extract.contract import COLUMNS, Kind

#: The contract's own names; a shop's file overrides parts of it.
DEFAULT_MAPPING = Path(__file__).with_name("mapping.yml")

_PERSONAL = "personal"
_SOURCES = {"column", "expression"}
#: What is only compared; of anything else a pseudonym would be noise, so it is not read at all.
_CAN_BE_PSEUDONYMS = (Kind.ID, Kind.LABEL)

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Expression(BaseModel):
    """A column that is computed: an SQL expression over the columns of its own table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expression: _Name


class TableMapping(BaseModel):
    """Where one table of the contract is in the source.

    Attributes
    ----------
    table
        Schema and name, ``shop.orders``.
    columns
        Contract column -> source column, expression, or None where the shop has no such column.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: _Name
    columns: dict[str, Expression | _Name | None]

    @field_validator("table")
    @classmethod
    def _schema_and_name(cls, value: str) -> str:
        if value.count(".") != 1 or not all(value.split(".")):
            raise ValueError(f"{value!r} is not of the form schema.table, as in shop.orders")
        return value

    @property
    def schema_name(self) -> str:
        """Schema of the source table."""
        return self.table.split(".")[0]

    @property
    def relation_name(self) -> str:
        """Name of the source table without its schema."""
        return self.table.split(".")[1]


@dataclass(frozen=True)
class Mapping:
    """A checked mapping: every contract column of every table that the shop has.

    Attributes
    ----------
    path
        File it was read from.
    tables
        Contract table -> where it is; tables that the shop lacks are left out. A column that is personal and holds
        neither a key nor a label is null here: it is not read.
    personal
        Contract columns that reach the lake as pseudonyms; a key that is personal in one table is so in all.
    """

    path: Path
    tables: dict[str, TableMapping]
    personal: frozenset[str] = frozenset()


def load_mapping(path: Path | None = None) -> Mapping:
    """Read and check a mapping file.

    Parameters
    ----------
    path : Path or None
        YAML file; what it leaves out keeps its name of the contract. None = the contract's names throughout.

    Returns
    -------
    Mapping

    Raises
    ------
    InvalidMapping
        If the file cannot be read, is no YAML, names an unknown table or column, lacks a required one, or has a
        value that is neither a name, an expression nor null.

    Examples
    --------
    >>> sorted(load_mapping().tables)
    ['customers', 'events', 'order_items', 'orders', 'products']
    >>> load_mapping(Path("no_such.yml"))
    Traceback (most recent call last):
    ...
    segmentation.errors.InvalidMapping: mapping file no_such.yml: it cannot be read (No such file or directory). Set \
SEGMENTATION_EXTRACT__MAPPING to a readable YAML file, or unset it to use the contract's names.
    """
    contents = _read(DEFAULT_MAPPING)
    if path is not None:
        for name, given in _read(path).items():
            contents[name] = _overridden(path, name, contents.get(name), given)
    source = path or DEFAULT_MAPPING
    if contents.get(ORDERS) is None:
        raise InvalidMapping(source, "orders is null", "Segments are made from orders: name the table that holds them.")
    personal: set[str] = set()
    tables = {
        name: _checked(source, name, contents[name], personal) for name in SOURCE_TABLES if contents[name] is not None
    }
    return Mapping(source, tables, frozenset(personal))


def _read(path: Path) -> dict[str, Any]:
    remedy = "Set SEGMENTATION_EXTRACT__MAPPING to a readable YAML file, or unset it to use the contract's names."
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidMapping(path, f"it cannot be read ({error.strerror})", remedy) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark is not None else ""
        raise InvalidMapping(path, f"it is no valid YAML{place}", "Compare it with extract/mapping.yml.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InvalidMapping(path, "it holds no tables", "Compare it with extract/mapping.yml.")
    return content


def _overridden(path: Path, name: str, default: Any, given: Any) -> Any:
    """Fill what the shop's file leaves out of a table with the contract's names."""
    if name not in SOURCE_TABLES:
        raise InvalidMapping(path, f"unknown table {name!r}", _did_you_mean(name, SOURCE_TABLES))
    if given is None:
        return None
    if not isinstance(given, dict):
        raise InvalidMapping(
            path, f"{name} is {given!r}", f"Write its source table as `table: {given}` under {name}, or null."
        )
    columns = given.get("columns") or {}
    if not isinstance(columns, dict):
        raise InvalidMapping(path, f"{name}.columns is {columns!r}", "Write one `contract name: source name` a line.")
    # a table that most shops lack is null by default: its columns are still called as in the contract
    default = default or {"columns": {column: column for column in COLUMNS[name]}}
    return {**default, **given, "columns": {**default["columns"], **columns}}


def _checked(path: Path, name: str, content: Any, personal: set[str]) -> TableMapping:
    known = COLUMNS[name]
    for key in content:
        if key not in TableMapping.model_fields:
            raise InvalidMapping(
                path, f"{name} has an unknown entry {key!r}", _did_you_mean(key, TableMapping.model_fields)
            )
    for column, value in content["columns"].items():
        if column not in known:
            raise InvalidMapping(path, f"{name} has an unknown column {column!r}", _did_you_mean(column, known))
        content["columns"][column] = value = _untagged(path, name, column, value, personal)
        if value is None and known[column].required:
            raise InvalidMapping(
                path,
                f"{name}.columns.{column} is null, but it is required",
                "Name the source column or give an expression for it."
                + ("" if name == ORDERS else f" If the shop has no {name} at all, write `{name}: null`."),
            )
    try:
        return TableMapping.model_validate(content)
    except ValidationError as error:
        raise InvalidMapping(path, *_first_problem(name, error)) from error


def _untagged(path: Path, name: str, column: str, value: Any, personal: set[str]) -> Any:
    """Return what a column is read from, and note it if it is tagged personal and can have a pseudonym."""
    if not isinstance(value, dict) or not {"column", _PERSONAL} & set(value):
        return value
    place, source = f"{name}.columns.{column}", {key: value[key] for key in value if key != _PERSONAL}
    if not isinstance(value.get(_PERSONAL, False), bool) or len(source) != 1 or not set(source) <= _SOURCES:
        raise InvalidMapping(
            path,
            f"{place} is {value!r}",
            'Write {column: name, personal: true} or {expression: "…", personal: true}.',
        )
    untagged = source.get("column", source)
    if not value.get(_PERSONAL):
        return untagged
    if COLUMNS[name][column].kind in _CAN_BE_PSEUDONYMS:
        personal.add(column)
        return untagged
    if COLUMNS[name][column].required:
        raise InvalidMapping(
            path,
            f"{place} is personal, but it is required and no step could use a pseudonym of it",
            "Take the tag away, or map an expression that is not personal.",
        )
    return None


def _first_problem(name: str, error: ValidationError) -> tuple[str, str]:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if place[0] == "columns":
        return (
            f"{name}.columns.{place[1]} is {_value_at(error)!r}",
            'Write a column name, {expression: "…"} or null.',
        )
    return f"{name}.{place[0]} is wrong", f"{first['msg'].removeprefix('Value error, ')}."


def _value_at(error: ValidationError) -> object:
    return error.errors()[0]["input"]


def _did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return the nearest known name, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(known)}."
