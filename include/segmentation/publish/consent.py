"""Who may be written to, as the day's snapshot of the customers table has it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from segmentation.catalog import CHECKED, CUSTOMERS
from segmentation.config import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_UNKNOWN = "select null::varchar as customer_id, null::boolean as may_contact where false"
# whoever said no once has said no
_BY_CUSTOMER = "cast(customer_id as varchar) as customer_id, bool_and(marketing_consent) as may_contact"


def read_consent(duck: DuckDBPyConnection, settings: Settings, day: date) -> None:
    """Make the view ``consent``: one row per customer whose consent the shop keeps, ``may_contact`` true or false.

    Parameters
    ----------
    duck : DuckDBPyConnection
        From `profiles.night_files`.
    settings : Settings
        All settings; the lake is read.
    day : date
        Business day.

    Notes
    -----
    The view is empty for a shop without customers table or consent, and for a day from before there was such a column.
    """
    file = settings.lake.rows_file(CHECKED, CUSTOMERS, day)
    if not file.exists() or "marketing_consent" not in pq.read_schema(file).names:
        duck.sql(_UNKNOWN).create_view("consent")
        return
    customers = duck.read_parquet(str(file), hive_partitioning=False)
    customers.filter("marketing_consent is not null").aggregate(_BY_CUSTOMER, "customer_id").create_view("consent")
