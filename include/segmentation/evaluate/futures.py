"""What customers really did in the days after a business day: out of the lake, or straight from the shop."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from segmentation.calendar import day_interval, days_between
from segmentation.catalog import CHECKED, ORDERS, RATES, RETURNED_STATUSES, VOID_STATUSES
from segmentation.config import Settings
from segmentation.errors import MissingInput
from segmentation.rates.conversion import checked_rates, open_conversion

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

_ROWS = "horizon_orders"


def lake_future(settings: Settings, day: date) -> pd.DataFrame | None:
    """Sum the orders of the horizon after ``day`` from the checked day files.

    Parameters
    ----------
    settings : Settings
        Home, timezone and ``features.horizon_days``.
    day : date
        Business day after whose end the horizon begins.

    Returns
    -------
    DataFrame or None
        ``customer_id`` (text), ``spend`` (shop currency, returns taken off), ``orders``; only customers who
        ordered. None if the lake lacks a day of the horizon.

    Raises
    ------
    MissingRate
        If amounts are converted to one currency and an order has no usable rate.
    """
    import duckdb

    files = [settings.lake.rows_file(CHECKED, ORDERS, each) for each in _horizon(settings, day)]
    if not all(file.exists() for file in files):
        return None
    with duckdb.connect() as connection:
        orders = connection.read_parquet([str(file) for file in files], hive_partitioning=False)
        return _summed(connection, settings, day, orders, checked_rates(settings, _horizon(settings, day)[-1]))


def source_future(settings: Settings, day: date, source_url: str) -> pd.DataFrame:
    """Sum the orders of the horizon after ``day`` as the shop's database has them now.

    Parameters
    ----------
    settings : Settings
        Mapping of the source, timezone and ``features.horizon_days``.
    day : date
        Business day after whose end the horizon begins.
    source_url : str
        libpq URL of the shop, a role that reads.

    Returns
    -------
    DataFrame
        As `lake_future`.

    Raises
    ------
    DatabaseUnreachable, LoginRefused, MissingTable, MissingColumn
        If the orders cannot be read.
    MissingRate
        As `lake_future`.
    MissingPrivacyKey
        If columns are personal and there is no key.
    """
    import duckdb

    from segmentation.extract.extract_day import rates_sql, rows_sql
    from segmentation.extract.inspect_source import inspect_source
    from segmentation.extract.mapping import load_mapping
    from segmentation.extract.pseudonyms import pseudonymised
    from segmentation.extract.source import open_source
    from segmentation.privacy.keyed_hash import privacy_key

    mapping = load_mapping(settings.extract.mapping)
    key = privacy_key(settings, "reading personal columns") if mapping.personal else None
    with open_source(settings.extract, source_url) as source:
        layout = inspect_source(source, mapping, settings.timezone)
        horizon = _horizon(settings, day)
        query = rows_sql(layout, ORDERS, horizon, settings.timezone)
        orders = source.query(query, f"orders of the {settings.features.horizon_days} days after {day}")
        orders = pseudonymised(orders, sorted(layout.tables[ORDERS].personal), key)
        rates = source.query(rates_sql(layout, horizon[-1]), RATES) if RATES in layout.tables else None
    with duckdb.connect() as connection:
        return _summed(connection, settings, day, connection.from_arrow(orders), rates)


def known_future(settings: Settings, day: date, source_url: str | None) -> pd.DataFrame:
    """Return the horizon after ``day`` from the lake, or else from the shop.

    Raises
    ------
    MissingInput
        If the lake does not reach that far and there is no URL of the shop.
    """
    future = lake_future(settings, day)
    if future is None and source_url is not None:
        future = source_future(settings, day, source_url)
    if future is None:
        what = f"the {settings.features.horizon_days} days after it"
        raise MissingInput(what, day, "Give the URL of the shop, or run the days first.")
    return future


def of_customers(future: pd.DataFrame, customers: pd.Index) -> pd.DataFrame:
    """Line a future up with customers: whoever did not order gets zeros.

    Parameters
    ----------
    future : from `lake_future` or `source_future`
    customers : B customer ids

    Returns
    -------
    DataFrame
        ``spend``, ``orders``, ``bought`` (0 or 1), B rows indexed by customer.
    """
    aligned = future.set_index("customer_id").reindex(customers).fillna(0.0)
    return aligned.assign(bought=(aligned["orders"] > 0).astype(float))


def _horizon(settings: Settings, day: date) -> list[date]:
    return list(days_between(day + timedelta(days=1), day + timedelta(days=settings.features.horizon_days)))


def _summed(
    connection: DuckDBPyConnection, settings: Settings, day: date, orders: DuckDBPyRelation, rates: pa.Table | None
) -> pd.DataFrame:
    # instants are compared with instants: the machine's own timezone must not matter
    connection.execute("set timezone = 'UTC'")
    horizon = _horizon(settings, day)
    orders.create_view(_ROWS)
    open_conversion(connection, settings, rates, orders, day_interval(horizon[-1], settings.timezone).end)
    return connection.execute(*sum_orders_query(settings, horizon[0], horizon[-1])).df()


def sum_orders_query(settings: Settings, first: date, last: date) -> tuple[str, dict[str, Any]]:
    """Return the query that sums the rows of ``horizon_orders`` from one day to another, and its values.

    Parameters
    ----------
    settings : Settings
        The shop's timezone.
    first, last : date
        Business days, both included; what happened to an order after ``last`` is not known.

    Returns
    -------
    tuple of str and dict
        DuckDB query, to be run after `open_conversion`, with ``customer_id``, ``spend`` (shop currency, returns taken
        off) and ``orders``, one row per customer who ordered; values to bind.
    """
    return Path(__file__).with_name("sum_orders.sql").read_text(), {
        "start": day_interval(first, settings.timezone).start,
        "end": day_interval(last, settings.timezone).end,
        "returned": list(RETURNED_STATUSES),
        "void": list(VOID_STATUSES),
        "timezone": settings.timezone,
    }
