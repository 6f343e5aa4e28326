"""What must be true of each table, as Great Expectations suites: one per table for its rows, one for their days.

Every expectation carries in ``meta`` the promise in words, the column it is about, its level (``row``: rows that
break it are set aside with ``reason``; ``note``: it is only reported; ``table``: a day that breaks it stops the
run) and the reason. The frames they run on are made by `frames`: the table's own columns, and derived ones
that are explained there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from segmentation.catalog import CUSTOMERS, DAILY_TABLES, EVENT_TYPES, EVENTS, ORDER_ITEMS, ORDERS, PRODUCTS, RATES
from segmentation.extract.contract import KEYS, TIME_COLUMNS

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite
    from great_expectations.expectations import Expectation

SAME_KEY_AGAIN = "same key again"
_NEGATIVE = "negative"
_LOST_ORDER = "its order was set aside"
_NO_LINE_NUMBER = "order item without line number"
_NO_EVENT_KEY = "event without key"
_UNKNOWN_TYPE = "event of unknown type"
#: Rates outside are mistakes.
SMALLEST_RATE, LARGEST_RATE = 1e-9, 1e6
_RATE_OUTSIDE = f"rate not between {SMALLEST_RATE:g} and {LARGEST_RATE:g}"

# promises about a day of a table; `findings` puts a broken one into words
COLUMNS_AGREED = "columns and types are as agreed"
NOTHING_IN_THE_FUTURE = "nothing happens in the future"
DAY_NOT_EMPTY = "the day is not empty"
NOT_FAR_FEWER = "not far fewer rows than usual"
NOT_FAR_MORE = "not far more rows than usual"
EVERY_ROW_DATED = "every row has a time"
FEW_REPEATED = "few keys are repeated"
FEW_SET_ASIDE = "few rows are set aside"
# about orders, depending on whether their amounts are converted
ONE_CURRENCY = "every order is in the shop's main currency"
EVERY_ORDER_RATED = "every order in another currency has a rate"
#: These say that the day is unusual, not that it is wrong: `accept_unusual_day` turns them into notes.
UNUSUAL = (DAY_NOT_EMPTY, NOT_FAR_FEWER, NOT_FAR_MORE)
#: Promises about days that are made for some tables only.
MADE_FOR = {
    NOTHING_IN_THE_FUTURE: DAILY_TABLES,
    EVERY_ROW_DATED: (ORDERS, EVENTS),
    DAY_NOT_EMPTY: (ORDERS,),
    NOT_FAR_FEWER: (ORDERS, EVENTS),
    NOT_FAR_MORE: (ORDERS, EVENTS),
}


#: Besides negative numbers: reasons in spite of which every later step can use a row of the table, and as what.
_USABLE = {
    # a line is a line: its number only tells lines apart
    (ORDER_ITEMS, _NO_LINE_NUMBER),
    (ORDER_ITEMS, SAME_KEY_AGAIN),
    # it counts as activity and in sessions; no feature and no head is about its type
    (EVENTS, _UNKNOWN_TYPE),
    # the key only tells which events came twice
    (EVENTS, _NO_EVENT_KEY),
}
#: Ends of the other reasons, why no step can use such a row, and what helps instead.
_UNUSABLE = (
    (_LOST_ORDER, "release the order: its lines come with it"),
    ("order item without order", "a line has its time and its customer from the order; it is taken in when that comes"),
    ("without customer", "it is in nobody's history; if the customer is known, map customer_id to an expression"),
    ("without key", "what belongs to it is found by the key; correct the shop, or map the key to an expression"),
    ("without day", "it is looked up by day; correct the shop's table of rates"),
    ("without currency", "it is looked up by currency; correct the shop's table of rates"),
    ("without time", "it belongs to no day; correct the shop, or map the time to an expression"),
    ("outside the day", "features as of one day would hold what happened on another; look at the shop's clock and at "
     "SEGMENTATION_TIMEZONE"),
    ("missing or not a usable number", "there is nothing to add up; correct the shop, or map it to an expression"),
    (_RATE_OUTSIDE, "amounts would not fit into cents; map the rate to an expression in a larger unit"),
    (SAME_KEY_AGAIN, "every later step knows one row of a key; if both are right, map the key to an expression that "
     "tells them apart"),
)  # fmt: skip


def can_be_released(table: str, reason: str) -> bool:
    """Tell whether later steps can use a row that was set aside for a reason, should somebody declare it right.

    A negative amount may be a credit note, and a line without a number is a line. A row without customer or usable
    number means nothing to any step.

    Examples
    --------
    >>> can_be_released("orders", "negative amount"), can_be_released("orders", "order without customer")
    (True, False)
    >>> can_be_released("order_items", "same key again"), can_be_released("customers", "same key again")
    (True, False)
    """
    return reason.startswith(f"{_NEGATIVE} ") or (table, reason) in _USABLE


def why_unusable(reason: str) -> str:
    """Say why a row that was set aside for a reason cannot be released, and what helps instead.

    Examples
    --------
    >>> why_unusable("its order was set aside")
    'release the order: its lines come with it'
    """
    return next((why for end, why in _UNUSABLE if reason.endswith(end)), "correct it in the shop")


def row_suite(table: str, *, is_converted: bool = False) -> ExpectationSuite:
    """Return what must be true of every row of a table; orders that are converted may be in several currencies."""
    from great_expectations import ExpectationSuite

    expectations = [one for one in _ROWS[table]() if not (is_converted and one.description == ONE_CURRENCY)]
    return ExpectationSuite(name=table, expectations=expectations)


def day_suite(duplicate_share_limit: float, quarantine_share_limit: float) -> ExpectationSuite:
    """Return what must be true of every day of every table; what does not apply to a table is null in its rows.

    Parameters
    ----------
    duplicate_share_limit, quarantine_share_limit : float
        Shares (0 to 1) of a day's rows.
    """
    import great_expectations.expectations as gxe
    from great_expectations import ExpectationSuite

    def at_most(promise: str, column: str, limit: float, level: str = "table", reason: str = "") -> Expectation:
        between = gxe.ExpectColumnValuesToBeBetween
        return _promise(between, promise, level, reason=reason, column=column, max_value=limit)

    def no_less(promise: str, larger: str, smaller: str) -> Expectation:
        return _promise(
            gxe.ExpectColumnPairValuesAToBeGreaterThanB,
            promise,
            "table",
            column_A=larger,
            column_B=smaller,
            or_equal=True,
            ignore_row_if="either_value_is_missing",
        )

    undated = "rows of the source have no usable time, belong to no day and are left out"
    return ExpectationSuite(
        name="days",
        expectations=[
            _promise(
                gxe.ExpectColumnValuesToBeInSet, COLUMNS_AGREED, "table", column="columns", value_set=["as agreed"]
            ),
            at_most(NOTHING_IN_THE_FUTURE, "future_rows", 0),
            at_most(EVERY_ROW_DATED, "undated_rows", 0, "note", undated),
            no_less(DAY_NOT_EMPTY, "rows", "fewest_rows"),
            no_less(NOT_FAR_FEWER, "volume", "usual_at_least"),
            no_less(NOT_FAR_MORE, "usual_at_most", "volume"),
            at_most(FEW_REPEATED, "repeated_share", duplicate_share_limit),
            at_most(FEW_SET_ASIDE, "set_aside_share", quarantine_share_limit),
        ],
    )


def _orders() -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [
        _never_missing("order_id", "every order has a key", "order without key"),
        _never_missing("customer_id", "every order has a customer", "order without customer"),
        _inside_day("order", "ordered_at", "order time outside the day"),
        *_number("total_amount", "amount"),
        *_number("discount_amount", "discount"),
        _once(ORDERS),
        _promise(
            gxe.ExpectColumnValuesToBeInSet,
            ONE_CURRENCY,
            "note",
            about="currency",
            reason="orders in another currency than most; amounts are added up as if they were in one",
            column="main_currency",
            value_set=[True],
        ),
    ]


def _order_items() -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [
        _promise(
            gxe.ExpectColumnValuesToNotBeInSet,
            "every item belongs to an order of the day",
            about="order_id",
            reason="order item without order",
            column="order",
            value_set=["missing"],
        ),
        _promise(
            gxe.ExpectColumnValuesToNotBeInSet,
            "every item's order is good",
            about="order_id",
            reason=_LOST_ORDER,
            column="order",
            value_set=["set aside"],
        ),
        _never_missing("line_no", "every item has a line number", _NO_LINE_NUMBER),
        _inside_day("item", "ordered_at", "order time outside the day"),
        *_number("quantity", "quantity"),
        *_number("unit_price", "unit price"),
        *_number("discount_amount", "discount"),
        _once(ORDER_ITEMS),
        _promise(
            gxe.ExpectColumnValuesToNotBeNull,
            "every item names a product",
            "note",
            about="product_id",
            reason="items without product; they count in no category",
            column="product_id",
        ),
    ]


def _events() -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [
        _never_missing("event_id", "every event has a key", _NO_EVENT_KEY),
        _never_missing("occurred_at", "every event has a time", "event without time"),
        _inside_day("event", "occurred_at", "event time outside the day"),
        _promise(
            gxe.ExpectColumnValuesToBeInSet,
            "every event is of a known type",
            about="event_type",
            reason=_UNKNOWN_TYPE,
            column="event_type",
            value_set=list(EVENT_TYPES),
        ),
        _once(EVENTS),
    ]


def _customers() -> list[Expectation]:
    return [_never_missing("customer_id", "every customer has a key", "customer without key"), _once(CUSTOMERS)]


def _products() -> list[Expectation]:
    import great_expectations.expectations as gxe

    return [
        _never_missing("product_id", "every product has a key", "product without key"),
        _once(PRODUCTS),
        _promise(
            gxe.ExpectColumnValuesToBeBetween,
            "no list price is negative",
            "note",
            about="list_price",
            reason="products with a negative list price",
            column="list_price",
            min_value=0,
        ),
    ]


def _rates() -> list[Expectation]:
    import great_expectations.expectations as gxe

    usable, _ = _number("rate", "rate")
    return [
        _never_missing("day", "every rate has a day", "rate without day"),
        _never_missing("currency", "every rate has a currency", "rate without currency"),
        usable,
        _promise(
            gxe.ExpectColumnValuesToBeBetween,
            "every rate is positive and of a usable size",
            about="rate",
            reason=_RATE_OUTSIDE,
            column="rate",
            min_value=SMALLEST_RATE,
            max_value=LARGEST_RATE,
        ),
        _once(RATES),
    ]


_ROWS: dict[str, Callable[[], list[Expectation]]] = {
    ORDERS: _orders,
    ORDER_ITEMS: _order_items,
    EVENTS: _events,
    CUSTOMERS: _customers,
    PRODUCTS: _products,
    RATES: _rates,
}


def _promise(
    kind: type[Expectation], promise: str, level: str = "row", *, about: str = "", reason: str = "", **arguments: Any
) -> Expectation:
    # `description` is what Data Docs show instead of the expectation's own wording
    meta = {"promise": promise, "level": level, "column": about, "reason": reason}
    return kind(description=promise, meta=meta, **arguments)


def _never_missing(column: str, promise: str, reason: str) -> Expectation:
    import great_expectations.expectations as gxe

    return _promise(gxe.ExpectColumnValuesToNotBeNull, promise, about=column, reason=reason, column=column)


def _inside_day(noun: str, column: str, reason: str) -> Expectation:
    import great_expectations.expectations as gxe

    return _promise(
        gxe.ExpectColumnValuesToBeInSet,
        f"every {noun} lies inside its business day",
        about=column,
        reason=reason,
        column="inside_day",
        value_set=[True],
    )


def _number(column: str, noun: str) -> list[Expectation]:
    # missing, NaN, infinite and absurdly large values arrive here as null, see frames
    import great_expectations.expectations as gxe

    return [
        _promise(
            gxe.ExpectColumnValuesToNotBeNull,
            f"every {noun} is a usable number",
            about=column,
            reason=f"{noun} missing or not a usable number",
            column=column,
        ),
        _promise(
            gxe.ExpectColumnValuesToBeBetween,
            f"no {noun} is negative",
            about=column,
            reason=f"{_NEGATIVE} {noun}",
            column=column,
            min_value=0,
        ),
    ]


def _once(table: str) -> Expectation:
    import great_expectations.expectations as gxe

    return _promise(
        gxe.ExpectCompoundColumnsToBeUnique,
        "every key occurs once a day" if table in TIME_COLUMNS else "every key occurs once",
        about=KEYS[table][0],
        reason=SAME_KEY_AGAIN,
        column_list=["day_of_batch", *KEYS[table]],
        ignore_row_if="any_value_is_missing",
    )
