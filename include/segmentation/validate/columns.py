"""Whether a raw file has the columns it must have, each of the kind it must be, and of the kind it was before."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from segmentation.catalog import ORDER_ITEMS
from segmentation.extract.contract import COLUMNS, Kind

_ALLOWED = {
    Kind.ID: ("whole number", "text"),
    Kind.TEXT: ("text",),
    Kind.LABEL: ("text",),
    Kind.MONEY: ("number",),
    Kind.NUMBER: ("number",),
    Kind.TIME: ("time in UTC",),
    Kind.DAY: ("date",),
    Kind.FLAG: ("true or false",),
}


@dataclass(frozen=True)
class Disagreement:
    """A column that is not as the contract, or the file of the day before, has it."""

    column: str
    text: str


def file_columns(table: str) -> dict[str, Kind]:
    """Return a raw file's columns in order; items carry the time of their order as well.

    Examples
    --------
    >>> list(file_columns("order_items"))[-1]
    'ordered_at'
    """
    columns = {name: column.kind for name, column in COLUMNS[table].items()}
    return {**columns, "ordered_at": Kind.TIME} if table == ORDER_ITEMS else columns


def spoken_type(found: pa.DataType) -> str:
    """Name a type as a reader would.

    Examples
    --------
    >>> spoken_type(pa.large_string()), spoken_type(pa.int32()), spoken_type(pa.timestamp("us", "UTC"))
    ('text', 'whole number', 'time in UTC')
    """
    if pa.types.is_string(found) or pa.types.is_large_string(found):
        return "text"
    if pa.types.is_integer(found):
        return "whole number"
    if pa.types.is_float64(found):
        return "number"
    if found == pa.timestamp("us", "UTC"):
        return "time in UTC"
    if found == pa.date32():
        return "date"
    if pa.types.is_boolean(found):
        return "true or false"
    return str(found)


def disagreement(table: str, schema: pa.Schema, before: pa.Schema | None) -> Disagreement | None:
    """Compare a raw file's columns with the contract and with the day before.

    Parameters
    ----------
    table : str
        Contract name of the table.
    schema : pyarrow.Schema
        Schema of the day's raw file.
    before : pyarrow.Schema or None
        Schema of the file of the nearest earlier day; None if there is none.

    Returns
    -------
    Disagreement or None
        The first column that differs; None if all agree. A file from before the contract had a column may lack it.

    Examples
    --------
    >>> disagreement("customers", pa.schema([("customer_id", pa.int64())]), None)
    Disagreement(column='created_at', text='the column is missing')
    >>> instant = pa.timestamp("us", "UTC")
    >>> old = {"customer_id": pa.int64(), "created_at": instant, "country": pa.string(), "updated_at": instant}
    >>> disagreement("customers", pa.schema(old), None) is None
    True
    """
    expected = {
        name: kind
        for name, kind in file_columns(table).items()
        if name in schema.names or name not in COLUMNS[table] or not COLUMNS[table][name].came_later
    }
    for column, kind in expected.items():
        if column not in schema.names:
            return Disagreement(column, "the column is missing")
        found = spoken_type(schema.field(column).type)
        if found not in _ALLOWED[kind]:
            return Disagreement(column, f"the type is {found}, expected {' or '.join(_ALLOWED[kind])}")
        if before is not None and column in before.names:
            earlier = spoken_type(before.field(column).type)
            if found != earlier:
                return Disagreement(column, f"the type is {found}, the day before it was {earlier}")
    for column in schema.names:
        if column not in expected:
            return Disagreement(column, "the contract has no such column")
    for found_name, expected_name in zip(schema.names, expected, strict=True):
        if found_name != expected_name:
            return Disagreement(found_name, f"the contract has {expected_name} in its place")
    return None
