"""Rates from the lake into DuckDB, and the macros by which every query converts the amounts of orders."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from segmentation.catalog import CHECKED, RATES, VOID_STATUSES
from segmentation.config import Settings
from segmentation.errors import MissingRate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

#: Days that a rate may be old: weekends and holidays have none.
USABLE_DAYS = 7

_FOLDER = Path(__file__).parent
_NO_RATES = pa.schema({"day": pa.date32(), "currency": pa.string(), "rate": pa.float64()}).empty_table()


def checked_rates(settings: Settings, day: date) -> pa.Table | None:
    """Read the checked rates as they were extracted for ``day``, or else for the first later day that has any.

    Returns
    -------
    pyarrow.Table or None
        ``day`` (date), ``currency``, ``rate`` (units of the reporting currency per unit of ``currency``); None if
        the shop has no such table.
    """
    for each in settings.lake.days(CHECKED, RATES):
        if each >= day and (file := settings.lake.rows_file(CHECKED, RATES, each)).exists():
            return pq.ParquetFile(file).read()
    return None


def open_conversion(
    connection: DuckDBPyConnection,
    settings: Settings,
    rates: pa.Table | None,
    orders: DuckDBPyRelation | None,
    end: datetime,
) -> None:
    """Create the table ``daily_rates`` and the macros of `create_conversion.sql`, and see that no rate is missing.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where queries convert amounts.
    settings : Settings
        ``reporting_currency`` ('' = nothing is converted) and the shop's timezone.
    rates : pyarrow.Table or None
        From `checked_rates`; None = the shop has no rates.
    orders : DuckDBPyRelation or None
        Orders that will be summed: ``ordered_at``, ``currency``, ``status``, ``updated_at``; not looked at without a
        reporting currency. None = somebody has seen that no rate is missing.
    end : datetime
        Orders from then on are not looked at, and a cancellation counts if it was before.

    Raises
    ------
    MissingRate
        If an order in another currency, cancelled ones apart, has no rate of its business day or of the 7 days before.
    """
    reporting = settings.reporting_currency
    connection.execute("set variable reporting_currency = ?", [reporting])
    known = rates if rates is not None and reporting else _NO_RATES
    connection.register("known_rates", known)
    connection.execute((_FOLDER / "create_daily_rates.sql").read_text(), {"usable_days": USABLE_DAYS})
    connection.execute((_FOLDER / "create_conversion.sql").read_text())
    if not reporting or orders is None:
        return
    orders.create_view("orders_to_convert", replace=True)
    missing = connection.execute(
        (_FOLDER / "find_missing_rates.sql").read_text(),
        {"timezone": settings.timezone, "end": end, "void": list(VOID_STATUSES)},
    ).fetchall()
    if missing:
        raise MissingRate(reporting, missing, USABLE_DAYS, mapped=rates is not None)
