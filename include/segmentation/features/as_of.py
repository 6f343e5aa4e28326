"""One bucket of customers as of one day: what is known of them, and (for training) what they did next."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from segmentation import catalog
from segmentation.calendar import day_interval
from segmentation.config import Settings
from segmentation.features.definitions import APP_CHANNELS, FEATURES
from segmentation.features.history import History
from segmentation.features.queries import rows, run

if TYPE_CHECKING:
    import duckdb

#: One row per customer with at least one order.
STATIC_SCHEMA = pa.schema([("customer_id", pa.string()), *((feature.name, pa.float64()) for feature in FEATURES)])
#: One row per customer; the lists of a row are of the same length, newest last.
TIMELINE_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("length", pa.int32()),
        ("event_type", pa.list_(pa.string())),
        ("category", pa.list_(pa.string())),
        ("log_amount", pa.list_(pa.float32())),
        ("discount_share", pa.list_(pa.float32())),
        ("log_hours_since_previous", pa.list_(pa.float32())),
        ("day_of_week", pa.list_(pa.int8())),
        ("hour", pa.list_(pa.int8())),
        ("days_before", pa.list_(pa.float32())),
    ]
)
#: One row per customer and category.
CATEGORIES_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("category", pa.string()),
        ("spend_share", pa.float64()),
        ("product_view_share", pa.float64()),
        ("periods", pa.int64()),
    ]
)
#: One row per customer and product bought.
PRODUCTS_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("product_id", pa.string()),
        ("category", pa.string()),
        ("lines", pa.int32()),
        ("periods", pa.int64()),
    ]
)
#: One row per customer of the cut-off; null = undefined.
TARGETS_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("bought", pa.int8()),
        ("spend", pa.float64()),
        ("orders", pa.float64()),
        ("sessions", pa.float64()),
        *((f"n_{event_type}", pa.float64()) for event_type in catalog.EVENT_TYPES),
        ("views_per_session", pa.float64()),
        ("sessions_per_order", pa.float64()),
        ("search_order_share", pa.float64()),
        ("cart_order_share", pa.float64()),
        ("left_cart_share", pa.float64()),
        ("removed_share", pa.float64()),
        ("campaign_order_share", pa.float64()),
        ("discount_share", pa.float64()),
        ("returns_share", pa.float64()),
        ("gap_days_mean", pa.float64()),
        ("gap_days_variation", pa.float64()),
    ]
)
#: One row per customer of the cut-off and category with revenue.
TARGET_CATEGORIES_SCHEMA = pa.schema([("customer_id", pa.string()), ("category", pa.string()), ("spend", pa.float64())])
#: One row per customer and channel.
CHANNELS_SCHEMA = pa.schema([("customer_id", pa.string()), ("channel", pa.string()), ("contacts", pa.int64())])
#: One row per known customer without an order.
NO_ORDER_SCHEMA = pa.schema([("customer_id", pa.string())])


def describe_customers(
    connection: duckdb.DuckDBPyConnection, settings: Settings, history: History, day: date
) -> dict[str, pa.Table]:
    """Describe the loaded bucket's customers as of the end of ``day``.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        A database with a bucket loaded (`history.load_bucket`).
    settings : Settings
        All settings.
    history : History
        The history the bucket belongs to.
    day : date
        As-of day; at or before the day the history was read for.

    Returns
    -------
    dict of str to pyarrow.Table
        ``static``, ``timeline``, ``categories``, each sorted by customer.
    """
    values = moments(settings, history, day)
    run(connection, "find_known_orders", values)
    run(connection, "find_buyers", values)
    run(connection, "find_known_products", values)
    parts = [rows(connection, "measure_orders", values)]
    if history.items_known:
        parts.append(rows(connection, "measure_baskets", values))
    if _events_known(history, values):
        run(connection, "find_sessions", values)
        run(connection, "find_order_sessions", values)
        parts += [rows(connection, "measure_events", values), rows(connection, "measure_paths", values)]
    return {
        "static": _side_by_side(parts, STATIC_SCHEMA),
        "timeline": _pack(parts[0].column("customer_id"), rows(connection, "list_timeline", values)),
        "categories": rows(connection, "share_categories", values).cast(CATEGORIES_SCHEMA),
    }


def describe_future(
    connection: duckdb.DuckDBPyConnection, settings: Settings, history: History, cutoff: date
) -> dict[str, pa.Table]:
    """Describe what the customers of ``cutoff`` did in the horizon after it.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        A database in which `describe_customers` was just run for ``cutoff``.
    settings : Settings
        All settings.
    history : History
        The history the bucket belongs to.
    cutoff : date
        The day whose end the future begins at.

    Returns
    -------
    dict of str to pyarrow.Table
        ``targets`` and ``target_categories``, sorted by customer.
    """
    last = cutoff + timedelta(days=settings.features.horizon_days)
    values = moments(settings, history, last)
    values["start"] = day_interval(cutoff, settings.timezone).end
    values["events_known"] = _events_known(history, values)
    run(connection, "find_known_orders", values)
    return {
        "targets": rows(connection, "measure_future", values).cast(TARGETS_SCHEMA),
        "target_categories": rows(connection, "sum_future_categories", values).cast(TARGET_CATEGORIES_SCHEMA),
    }


def count_channels(connection: duckdb.DuckDBPyConnection, settings: Settings, history: History, day: date) -> pa.Table:
    """Count how often the loaded bucket's customers came through each channel.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        A database in which `describe_customers` was just run for ``day``.
    settings : Settings
        All settings.
    history : History
        The history the bucket belongs to.
    day : date
        As-of day.

    Returns
    -------
    pyarrow.Table
        Rows of `CHANNELS_SCHEMA`, sorted; none for a shop without events.
    """
    values = moments(settings, history, day)
    if not _events_known(history, values):
        return CHANNELS_SCHEMA.empty_table()
    return rows(connection, "count_channels", values).cast(CHANNELS_SCHEMA)


def list_no_order(connection: duckdb.DuckDBPyConnection, settings: Settings, history: History, day: date) -> pa.Table:
    """List the loaded bucket's known customers without an order; run after `describe_customers` of ``day``."""
    return rows(connection, "list_no_order", moments(settings, history, day)).cast(NO_ORDER_SCHEMA)


def list_products(connection: duckdb.DuckDBPyConnection, settings: Settings, history: History, day: date) -> pa.Table:
    """List what the loaded bucket's customers bought, by product; run after `describe_customers` of ``day``."""
    return rows(connection, "list_products", moments(settings, history, day)).cast(PRODUCTS_SCHEMA)


def moments(settings: Settings, history: History, day: date) -> dict[str, Any]:
    """Return the values that the queries of one as-of day bind; every window is made of whole local days.

    Examples
    --------
    >>> from pathlib import Path
    >>> young = History(Path(), datetime(2017, 10, 1), None, False)
    >>> moments(Settings(timezone="America/New_York"), young, date(2017, 10, 31))["since_28"].isoformat()
    '2017-10-04T04:00:00+00:00'
    """

    def start_of(days_back: int) -> datetime:
        return day_interval(day - timedelta(days=days_back - 1), settings.timezone).start

    return {
        "end": day_interval(day, settings.timezone).end,
        **{f"since_{days}": start_of(days) for days in (28, 56, 91, 365)},
        # the days that correspond to the coming 28, 52 whole weeks earlier
        "last_year_start": start_of(364),
        "last_year_end": start_of(364 - 28),
        "history_start": history.first_order,
        "horizon_us": settings.features.horizon_days * 86_400_000_000,
        "timezone": settings.timezone,
        "length": settings.features.sequence_length,
        "app_channels": list(APP_CHANNELS),
        "returned": list(catalog.RETURNED_STATUSES),
        "void": list(catalog.VOID_STATUSES),
    }


def _events_known(history: History, values: dict[str, Any]) -> bool:
    return history.first_event is not None and history.first_event < values["end"]


def _side_by_side(parts: list[pa.Table], schema: pa.Schema) -> pa.Table:
    """Join tables with the same customers in the same order; what no part has is null."""
    columns = {name: part.column(name) for part in parts for name in part.column_names}
    length = parts[0].num_rows
    return pa.table(
        [
            columns[field.name].cast(field.type) if field.name in columns else pa.nulls(length, field.type)
            for field in schema
        ],
        schema=schema,
    )


def _pack(customers: pa.ChunkedArray, entries: pa.Table) -> pa.Table:
    """Turn one row per entry, sorted by customer and time, into one row per customer with lists.

    Every one of the customers has an entry, and their numbers are in the order of their ids.
    """
    # run-length encoding finds the customers' boundaries; going through Python or numpy values would make pyarrow
    # import pandas, which costs a second
    runs = pc.run_end_encode(_flat(entries.column("customer_no")), run_end_type=pa.int32())
    ends = runs.run_ends
    zero = pa.Array.from_buffers(pa.int32(), 1, [None, pa.py_buffer(bytes(4))])
    starts = pa.concat_arrays([zero, ends])
    lists = [
        pa.ListArray.from_arrays(starts, _flat(entries.column(field.name)).cast(field.type.value_type))
        for field in list(TIMELINE_SCHEMA)[2:]
    ]
    lengths = pc.subtract(ends, starts.slice(0, len(ends)))
    return pa.table([customers.cast(pa.string()), lengths, *lists], schema=TIMELINE_SCHEMA)


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)
