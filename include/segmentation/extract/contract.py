"""The columns of the contract: what is read of each source table, as what type, and what must be there.

Personal columns (e-mail, names, birth dates) have no place here, so no mapping can bring them in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from segmentation.catalog import CUSTOMERS, EVENTS, ORDER_ITEMS, ORDERS, PRODUCTS, RATES


class Kind(Enum):
    """What a column holds; `segmentation.extract.inspect_source` says which source types it may have."""

    ID = "id"  # a whole number, text or uuid; int64 in the lake if whole numbers everywhere, else text
    TEXT = "text"  # a word of a fixed vocabulary
    LABEL = "label"  # a name or key that is only compared; text in the lake whatever the source has
    MONEY = "money"  # float64, rounded to 2 decimals
    NUMBER = "number"  # float64 as it is
    TIME = "time"  # an instant, UTC, microseconds
    DAY = "day"  # a date, in the shop's timezone
    FLAG = "flag"  # true, false or null


@dataclass(frozen=True)
class ContractColumn:
    """One column of the contract.

    Attributes
    ----------
    kind
        What it holds.
    required
        Whether a shop that has the table must have the column.
    default
        SQL literal that stands in for an optional column which the shop lacks.
    came_later
        Whether files written before the contract had the column may lack it.
    """

    kind: Kind
    required: bool = False
    default: str = "null"
    came_later: bool = False


#: Columns of each table, in the order of the lake's files.
COLUMNS: dict[str, dict[str, ContractColumn]] = {
    CUSTOMERS: {
        "customer_id": ContractColumn(Kind.ID, required=True),
        "created_at": ContractColumn(Kind.TIME),
        "country": ContractColumn(Kind.LABEL),
        "updated_at": ContractColumn(Kind.TIME),
        "marketing_consent": ContractColumn(Kind.FLAG, came_later=True),
    },
    PRODUCTS: {
        "product_id": ContractColumn(Kind.ID, required=True),
        "category": ContractColumn(Kind.LABEL),
        "subcategory": ContractColumn(Kind.LABEL),
        "brand": ContractColumn(Kind.LABEL),
        "list_price": ContractColumn(Kind.MONEY),
        "updated_at": ContractColumn(Kind.TIME),
    },
    RATES: {
        "day": ContractColumn(Kind.DAY, required=True),
        "currency": ContractColumn(Kind.TEXT, required=True),
        # units of the reporting currency per unit of this one
        "rate": ContractColumn(Kind.NUMBER, required=True),
    },
    ORDERS: {
        "order_id": ContractColumn(Kind.ID, required=True),
        "customer_id": ContractColumn(Kind.ID, required=True),
        "ordered_at": ContractColumn(Kind.TIME, required=True),
        "status": ContractColumn(Kind.TEXT, default="'completed'"),
        "currency": ContractColumn(Kind.TEXT),
        "total_amount": ContractColumn(Kind.MONEY, required=True),
        "discount_amount": ContractColumn(Kind.MONEY),
        "coupon_code": ContractColumn(Kind.LABEL),
        "updated_at": ContractColumn(Kind.TIME),
    },
    ORDER_ITEMS: {
        "order_id": ContractColumn(Kind.ID, required=True),
        "line_no": ContractColumn(Kind.ID, required=True),
        "product_id": ContractColumn(Kind.ID, required=True),
        "quantity": ContractColumn(Kind.NUMBER, required=True),
        "unit_price": ContractColumn(Kind.NUMBER, required=True),
        # a line's revenue is what remains after it, so "no such column" must not make the revenue unknown
        "discount_amount": ContractColumn(Kind.MONEY, default="0"),
    },
    EVENTS: {
        "event_id": ContractColumn(Kind.ID, required=True),
        "customer_id": ContractColumn(Kind.ID, required=True),
        "session_id": ContractColumn(Kind.LABEL),
        "occurred_at": ContractColumn(Kind.TIME, required=True),
        "event_type": ContractColumn(Kind.TEXT, required=True),
        "product_id": ContractColumn(Kind.ID),
        "channel": ContractColumn(Kind.LABEL),
        "campaign_id": ContractColumn(Kind.LABEL),
        "loaded_at": ContractColumn(Kind.TIME),
    },
}

#: Columns that tell two rows of a table apart.
KEYS: dict[str, tuple[str, ...]] = {
    CUSTOMERS: ("customer_id",),
    PRODUCTS: ("product_id",),
    RATES: ("day", "currency"),
    ORDERS: ("order_id",),
    ORDER_ITEMS: ("order_id", "line_no"),
    EVENTS: ("event_id",),
}

#: Column whose business day a row of a daily table belongs to (items: that of their order).
TIME_COLUMNS: dict[str, str] = {ORDERS: "ordered_at", ORDER_ITEMS: "ordered_at", EVENTS: "occurred_at"}

#: Column that moves when a row arrives late or is changed.
CHANGE_COLUMNS: dict[str, str] = {ORDERS: "updated_at", EVENTS: "loaded_at"}
