"""Load CDNOW: real purchases of 23,570 customers of an online music shop, from the `lifetimes` wheel.

The file has one line per purchase: customer, day, number of CDs, amount. It becomes customers and orders; this shop has
no products, no order lines and no events, and its database has no such tables (`MAPPING` says so to the extraction).
The file knows days only: an order is put at noon New York time, plus its place in the file among that day's orders in
seconds, so that times are unique within a day. Several purchases of one customer on one day are separate orders.
The number of CDs has no place in the orders table and is left out.
"""

from __future__ import annotations

import importlib.util
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from segmentation.catalog import CUSTOMERS, ORDERS
from segmentation.demo.postgres import SOURCE_DATABASE, Server
from segmentation.demo.source import LoadReport, copy_frame, load_source, require_equal

NAME = "cdnow"
TIMEZONE = "America/New_York"
CURRENCY = "USD"
DEMO_DAYS = tuple(date(1998, 4, 25) + timedelta(days=offset) for offset in range(7))
MAPPING = Path(__file__).with_name("cdnow_mapping.yml")

_PACKAGE = "lifetimes"


def load_cdnow(server: Server, database: str = SOURCE_DATABASE) -> LoadReport:
    """Load all purchases, once, and compare them with the file to the cent.

    Parameters
    ----------
    server : Server
        The running embedded server.
    database : str
        Name of the source database.

    Returns
    -------
    LoadReport
        ``totals`` holds the compared figures.

    Raises
    ------
    ModuleNotFoundError
        If the wheel `lifetimes` is not installed.
    LoadMismatch
        If a figure in the database differs from the file's; nothing is kept then.
    OtherShopLoaded
        If the database holds another shop.
    """
    return load_source(server, database, {"shop": NAME}, (CUSTOMERS, ORDERS), _fill)


def _fill(connection: Connection) -> tuple[dict[str, int], dict[str, str]]:
    purchases = _read_purchases()
    orders = _orders(purchases)
    first = orders.groupby("customer_id", as_index=False)["ordered_at"].min()
    customers = pd.DataFrame(
        {"customer_id": first["customer_id"], "created_at": first["ordered_at"], "updated_at": first["ordered_at"]}
    )
    rows = {
        CUSTOMERS: copy_frame(connection, "shop.customers", customers),
        ORDERS: copy_frame(connection, "shop.orders", orders),
    }
    in_file = {
        "orders": len(purchases),
        "customers with orders": purchases["customer_id"].nunique(),
        "amount paid": int(purchases["cents"].sum()),
    }
    found = connection.execute(
        text("select count(*), count(distinct customer_id), sum(100 * total_amount)::bigint from shop.orders")
    ).one()
    require_equal(NAME, in_file, dict(zip(in_file, found, strict=True)))
    return rows, {
        "orders": f"{in_file['orders']:,}",
        "customers with orders": f"{in_file['customers with orders']:,}",
        "amount paid": f"{in_file['amount paid'] / 100:,.2f}",
    }


def _read_purchases() -> pd.DataFrame:
    # found without importing the package, which does not import beside today's pandas
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {_PACKAGE!r}: install requirements.txt", name=_PACKAGE)
    file = pd.read_csv(
        Path(spec.origin).parent / "datasets" / "CDNOW_master.txt",
        sep=r"\s+",
        skiprows=1,
        header=None,
        names=["customer_id", "day", "discs", "amount"],
    )
    file["day"] = pd.to_datetime(file["day"].astype(str), format="%Y%m%d")
    file["cents"] = (file["amount"] * 100).round().astype("int64")
    return file


def _orders(purchases: pd.DataFrame) -> pd.DataFrame:
    rank = purchases.groupby("day").cumcount()
    local = purchases["day"] + pd.Timedelta(hours=12) + pd.to_timedelta(rank, unit="s")
    orders = pd.DataFrame(
        {
            "customer_id": purchases["customer_id"],
            "ordered_at": local.dt.as_unit("us").dt.tz_localize(TIMEZONE).dt.tz_convert("UTC"),
            "status": "completed",
            "currency": CURRENCY,
            "total_amount": purchases["cents"] / 100,
        }
    ).sort_values("ordered_at", ignore_index=True)
    orders.insert(0, "order_id", np.arange(1, len(orders) + 1))
    orders["updated_at"] = orders["ordered_at"]
    return orders
