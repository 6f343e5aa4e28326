"""Who is likely to buy what next, as `marts.audience` reads it: of the newest published day alone."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Table, delete

from segmentation.catalog import OUTLOOK
from segmentation.config import Settings
from segmentation.publish.affinities import product_files
from segmentation.publish.copy_rows import copy_rows
from segmentation.warehouse import customer_next_purchases, product_shares

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Path(__file__).parent
#: Products kept per customer: those bought in most periods.
PRODUCTS_PER_CUSTOMER = 10

_NO_INTERESTS = (
    "select null::varchar as customer_id, null::varchar as category, null::double as likelihood, null::double as lift, "
    "null::smallint as bought_periods where false"
)
_NEXT_PURCHASES = "select *, cast($day as date) as as_of from next_purchases order by customer_id"
_SHARES = "select *, cast($day as date) as as_of from shares order by product_id, segment_id"


def gather_interests(duck: DuckDBPyConnection, settings: Settings, day: date) -> None:
    """Make the views and tables that `replace_interests` copies from; `rank_affinities` must have run.

    Parameters
    ----------
    duck : DuckDBPyConnection
        From `profiles.night_files`.
    settings : Settings
        All settings; the lake and ``publish.minimum_group`` are read.
    day : date
        Business day. Without interests in its outlook (no model, no categories) everything is empty.
    """
    file = settings.lake.path(OUTLOOK, day=day) / "interests.parquet"
    found = duck.read_parquet(str(file), hive_partitioning=False) if file.exists() else duck.sql(_NO_INTERESTS)
    found.create_view("interests")
    share = (_SQL / "share_products.sql").read_text()
    duck.execute(f"create table shares as {share}", {"minimum_group": settings.publish.minimum_group})
    duck.execute("create table regulars (customer_id varchar, product_id varchar, periods smallint)")
    keep = (_SQL / "keep_regulars.sql").read_text()
    for bucket in product_files(settings, day) if file.exists() else []:
        duck.execute(keep, {"file": str(bucket), "top": PRODUCTS_PER_CUSTOMER})
    duck.execute((_SQL / "list_next_purchases.sql").read_text())


def replace_interests(connection: Connection, duck: DuckDBPyConnection, day: date) -> None:
    """Replace `marts.customer_next_purchases` and `product_shares`; the day is the newest published.

    Parameters
    ----------
    connection : Connection
        Inside the publish transaction.
    duck : DuckDBPyConnection
        After `gather_interests`.
    day : date
        Business day.
    """
    for table, query in ((customer_next_purchases, _NEXT_PURCHASES), (product_shares, _SHARES)):
        connection.execute(delete(table))
        copy_rows(connection, duck.sql(query, params={"day": day}), _qualified(table))
        connection.exec_driver_sql(f"analyze {_qualified(table)}")


def _qualified(table: Table) -> str:
    return f"{table.schema}.{table.name}"
