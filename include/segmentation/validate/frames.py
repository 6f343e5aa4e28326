"""The data frames that the suites look at: a batch of days of one table, with what the promises need beside it.

Derived columns: ``day_of_batch`` (0, 1, …), ``inside_day`` (the row's time lies in its business day, or is
missing), ``main_currency``, and for items ``order`` (good, set aside or missing). The frame's index is the row's
place in the batch. The frames are looked at, never written: checked files are taken from the raw files themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from segmentation.calendar import Interval
from segmentation.catalog import CUSTOMERS, EVENTS, ORDER_ITEMS, ORDERS, PRODUCTS, RATES
from segmentation.extract.contract import KEYS, TIME_COLUMNS
from segmentation.validate.columns import file_columns

if TYPE_CHECKING:
    import pandas as pd

#: Above this an amount, price or quantity is a mistake, whatever the currency; sums of cents stay exact below it.
LARGEST_NUMBER = 1e12
#: What can have become of an item's order.
ORDER_STATES = ("good", "set aside", "missing")

# A missing discount means none: the column is optional. Every other number must be there.
_NUMBERS = {
    ORDERS: {"total_amount": False, "discount_amount": True},
    ORDER_ITEMS: {"quantity": False, "unit_price": False, "discount_amount": True},
    PRODUCTS: {"list_price": True},
    RATES: {"rate": False},
}
_AS_THEY_ARE = {
    ORDERS: ("order_id", "customer_id"),
    ORDER_ITEMS: ("order_id", "line_no", "product_id"),
    EVENTS: ("event_id", "occurred_at"),
    CUSTOMERS: ("customer_id",),
    PRODUCTS: ("product_id",),
    RATES: ("day", "currency"),
}


@dataclass(frozen=True)
class Rows:
    """A batch of days of one table.

    Attributes
    ----------
    table : str
        Contract name.
    data : pyarrow.Table
        The days' rows, one day after the other.
    days : numpy.ndarray
        Per row, the position of its day in the batch (int32).
    """

    table: str
    data: pa.Table
    days: np.ndarray


def join_days(table: str, parts: Sequence[pa.Table]) -> Rows:
    """Put the days of a table one after the other.

    Parameters
    ----------
    table : str
        Contract name.
    parts : sequence of pyarrow.Table
        One per day of the batch, columns as the contract.
    """
    # the days may differ in what does not matter: width of whole numbers and of text offsets
    wide = [part.cast(_wide(part.schema)) for part in parts]
    days = np.repeat(np.arange(len(parts), dtype=np.int32), [part.num_rows for part in parts])
    return Rows(table, pa.concat_tables(wide).combine_chunks(), days)


def frame_of(rows: Rows, intervals: Sequence[Interval], order_states: np.ndarray | None = None) -> pd.DataFrame:
    """Return the frame that the table's row suite looks at.

    Parameters
    ----------
    rows : Rows
        The batch.
    intervals : sequence of Interval
        Business day of each day of the batch.
    order_states : numpy.ndarray, optional
        Per item, what became of its order, see `order_states_of`.
    """
    import pandas as pd

    table = rows.table
    columns: dict[str, object] = {"day_of_batch": rows.days}
    for name in _AS_THEY_ARE[table]:
        columns[name] = pd.Series(pd.arrays.ArrowExtensionArray(_without_blanks(rows.data.column(name))))
    for name, optional in _NUMBERS.get(table, {}).items():
        columns[name] = _usable_numbers(rows.data.column(name), optional)
    if table in TIME_COLUMNS:
        columns["inside_day"] = _inside_day(rows.data.column(TIME_COLUMNS[table]), rows.days, intervals)
    if table == ORDERS:
        columns["main_currency"] = _main_currency(rows.data.column("currency"))
    if table == EVENTS:
        types = pc.fill_null(rows.data.column("event_type"), "")
        columns["event_type"] = pd.Series(pd.arrays.ArrowExtensionArray(types))
    if order_states is not None:
        columns["order"] = pd.Categorical.from_codes(order_states, pd.Index(ORDER_STATES))
    return pd.DataFrame(columns)


def order_states_of(items: Rows, orders: Rows, orders_set_aside: np.ndarray) -> np.ndarray:
    """Tell what became of each item's order.

    Parameters
    ----------
    items, orders : Rows
        The same days of both tables.
    orders_set_aside : numpy.ndarray
        Per order, whether it was set aside.

    Returns
    -------
    numpy.ndarray
        Per item the position in `ORDER_STATES`: good, set aside, or missing (no order of that key on its day).
    """
    item_ids, order_ids = items.data.column("order_id"), orders.data.column("order_id")
    if item_ids.type != order_ids.type:
        item_ids, order_ids = item_ids.cast(pa.large_string()), order_ids.cast(pa.large_string())
    both = pa.chunked_array([*order_ids.chunks, *item_ids.chunks], type=order_ids.type).combine_chunks()
    codes = pc.fill_null(both.dictionary_encode().indices, -1).to_numpy().astype(np.int64)
    days_in_batch = int(max(items.days.max(initial=0), orders.days.max(initial=0))) + 1
    of_orders = codes[: len(orders.days)] * days_in_batch + orders.days
    of_items = codes[len(orders.days) :] * days_in_batch + items.days
    # an order without key cannot be anybody's order
    known = codes[: len(orders.days)] >= 0
    good, aside, missing = range(len(ORDER_STATES))
    states = np.full(len(items.days), missing, dtype=np.int8)
    states[np.isin(of_items, of_orders[known & orders_set_aside])] = aside
    states[np.isin(of_items, of_orders[known & ~orders_set_aside])] = good
    states[items.data.column("ordered_at").is_null().to_numpy()] = missing
    return states


def repeats(rows: Rows, candidates: np.ndarray, set_aside: np.ndarray) -> np.ndarray:
    """Choose, among rows that share a key, those to set aside: all but the first.

    Good rows come before rows that are set aside anyway, then the order is that of the rows' values, so the
    choice does not depend on the order in which the shop's database happened to give them.

    Parameters
    ----------
    rows : Rows
        The batch.
    candidates : numpy.ndarray
        Places of the rows that share their key with another row of their day.
    set_aside : numpy.ndarray
        Per row of the batch, whether it is set aside for another reason.

    Returns
    -------
    numpy.ndarray
        Places of all but the first row of each key.
    """
    if not len(candidates):
        return candidates
    # a file from before the contract had a column lacks it
    names = [name for name in file_columns(rows.table) if name in rows.data.column_names]
    keys = KEYS[rows.table]
    few = rows.data.select(names).take(candidates)
    few = few.append_column("day of row", pa.array(rows.days[candidates]))
    few = few.append_column("set aside", pa.array(set_aside[candidates].astype(np.int8)))
    few = few.append_column("place", pa.array(candidates))
    rest = [name for name in names if name not in keys]
    order = ["day of row", *keys, "set aside", *rest, "place"]
    few = few.sort_by([(name, "ascending") for name in order])
    group = ["day of row", *keys]
    same = np.ones(few.num_rows - 1, dtype=bool)
    for name in group:
        column = few.column(name).combine_chunks()
        same &= pc.equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False).astype(bool)
    return few.column("place").to_numpy()[1:][same]


def _wide(schema: pa.Schema) -> pa.Schema:
    def widened(found: pa.DataType) -> pa.DataType:
        if pa.types.is_integer(found):
            return pa.int64()
        return pa.large_string() if pa.types.is_string(found) else found

    return pa.schema([pa.field(field.name, widened(field.type)) for field in schema])


def _usable_numbers(column: pa.ChunkedArray, optional: bool) -> np.ndarray:
    numbers = (pc.fill_null(column, 0.0) if optional else column).to_numpy()
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(numbers) <= LARGEST_NUMBER, numbers, np.nan)


def _without_blanks(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Read a key without a single visible character as missing: whoever has it would all be one customer."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    is_blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0)
    return pc.if_else(pc.fill_null(is_blank, False), pa.scalar(None, column.type), column)


def _inside_day(times: pa.ChunkedArray, days: np.ndarray, intervals: Sequence[Interval]) -> np.ndarray:
    starts, ends = (
        np.asarray(pa.array([getattr(interval, end) for interval in intervals], times.type).cast(pa.int64()))
        for end in ("start", "end")
    )
    micros = times.cast(pa.int64())
    known = micros.is_valid().to_numpy()
    instants = pc.fill_null(micros, 0).to_numpy()
    return ~known | ((instants >= starts[days]) & (instants < ends[days]))


def _main_currency(currencies: pa.ChunkedArray) -> np.ndarray:
    counts = pc.value_counts(currencies.drop_null()).to_pylist()
    if not counts:
        return np.ones(len(currencies), dtype=bool)
    main = min(counts, key=lambda pair: (-pair["counts"], pair["values"]))["values"]
    return pc.fill_null(pc.equal(currencies, main), True).to_numpy().astype(bool)
