"""`segmentation bench bad-inputs`: what each kind of malformed input gets, by really putting it into a shop.

A row each goes into one day of a small shop whose tables refuse nothing; the day is extracted, validated and published,
and the row is looked for in the lake's files. What stops a run is put into a copy of the shop, each by itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from psycopg2 import sql
from sqlalchemy import Engine, select, text

from segmentation.catalog import (
    CHECKED,
    CUSTOMERS,
    EVENTS,
    EXTRACT_ROLE,
    ORDER_ITEMS,
    ORDERS,
    PRODUCTS,
    PUBLISH_ROLE,
    QUARANTINE,
    RAW,
)
from segmentation.config import Settings
from segmentation.demo.postgres import WAREHOUSE_DATABASE, Server
from segmentation.demo.setup import set_up_server
from segmentation.demo.source import create_database, create_source
from segmentation.errors import SegmentationError
from segmentation.extract.contract import KEYS
from segmentation.extract.extract_day import extract_day
from segmentation.night import run_night
from segmentation.validate.account_rows import GATE
from segmentation.validate.validate_day import validate_day
from segmentation.warehouse import metrics

DAY = date(2026, 6, 10)
NOW = datetime(2026, 6, 11, 4, tzinfo=UTC)
_NOON = "2026-06-10 12:00Z"
_SOURCE = "bad_inputs"
_SQL = Path(__file__).parent

#: Everything that means something to SQL, Python, JSON, CSV, HTML, a shell, a path or a partition, in one word.
METACHARACTERS = (
    "'; drop table shop.orders; --\"$$ %s %(day)s {orders} {{x}} \\ \\N \t\n\r <script>alert(1)</script> =1+1 "
    "../../day=2026-01-01/ ${HOME} `id` NULL"
)
UNICODE = "Zoë 💥 ‮txet‬ Z͑ͫ̓ͪ̂ͫ̽͏̴a ﷽ ß İ ００７ \u200b\ufeff\U0010ffff"


@dataclass(frozen=True)
class BadInput:
    """A row of which some columns are not what they should be.

    Attributes
    ----------
    table : contract name
    what : in words
    faults : column -> value; the others are those of a good row
    """

    table: str
    what: str
    faults: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BadSource:
    """A change of the source that concerns more than a row."""

    what: str
    statement: str


@dataclass(frozen=True)
class Outcomes:
    """What all of them got.

    Attributes
    ----------
    table : DataFrame
        table, input, outcome.
    account : str
        The night's account of its rows, from `ops.metrics`.
    is_complete : bool
        Whether that gate passed and no row was lost.
    """

    table: pd.DataFrame
    account: str
    is_complete: bool


_TEXT_COLUMNS = {
    ORDERS: ("order_id", "customer_id", "status", "currency", "coupon_code"),
    ORDER_ITEMS: ("order_id", "product_id"),
    EVENTS: ("event_id", "customer_id", "session_id", "event_type", "product_id", "channel"),
    CUSTOMERS: ("customer_id", "country"),
    PRODUCTS: ("product_id", "category", "subcategory", "brand"),
}
#: A good row of each table; ``{n}`` makes it findable.
_GOOD: dict[str, dict[str, Any]] = {
    ORDERS: {
        "order_id": "bad-{n}", "customer_id": "c1", "ordered_at": _NOON, "status": "completed", "currency": "EUR",
        "total_amount": 20, "discount_amount": 0, "coupon_code": "mark-{n}", "updated_at": _NOON,
    },
    ORDER_ITEMS: {
        "order_id": "o0-1", "line_no": "{n}", "product_id": "mark-{n}", "quantity": 1, "unit_price": 10,
        "discount_amount": 0,
    },
    EVENTS: {
        "event_id": "bad-{n}", "customer_id": "c1", "session_id": "mark-{n}", "occurred_at": _NOON,
        "event_type": "page_view", "product_id": "p1", "channel": "web", "properties": None, "loaded_at": _NOON,
    },
    CUSTOMERS: {
        "customer_id": "bad-{n}", "created_at": "2026-05-01Z", "country": "mark-{n}", "updated_at": "2026-05-01Z",
    },
    PRODUCTS: {
        "product_id": "bad-{n}", "category": "tea", "subcategory": None, "brand": "mark-{n}", "list_price": 5,
        "updated_at": "2026-05-01Z",
    },
}  # fmt: skip
#: Columns to find a row by, in this order: the first that the input leaves alone.
_MARKS = {
    ORDERS: ("coupon_code", "order_id"),
    ORDER_ITEMS: ("product_id", "line_no"),
    EVENTS: ("session_id", "event_id"),
    CUSTOMERS: ("country", "customer_id"),
    PRODUCTS: ("brand", "product_id"),
}
_NUMBERS: dict[str, Any] = {
    "not a number": "NaN",
    "infinite": "Infinity",
    "minus infinite": "-Infinity",
    "negative": -0.01,
    "1e13": 1e13,
    "1e308": 1e308,
    "missing": None,
}
_TIMES: dict[str, str | None] = {
    "in year 1": "0001-01-01 00:00Z",
    "in year 44 before Christ": "0044-03-15 BC",
    "minus infinity": "-infinity",
    "missing": None,
    "in 1969": "1969-12-31 23:59Z",
}
_WORDS: dict[str, str | None] = {"missing": None, "an empty text": "", "10,000 letters": "x" * 10_000}


def bad_rows() -> list[BadInput]:
    """Return every malformed row, in the order of the table that is printed."""
    rows = [
        BadInput(table, f"{column}: {what}", {column: value})
        for table, column in (
            (ORDERS, "total_amount"),
            (ORDERS, "discount_amount"),
            (ORDER_ITEMS, "quantity"),
            (ORDER_ITEMS, "unit_price"),
        )
        for what, value in _NUMBERS.items()
    ]
    rows += [
        BadInput(table, f"{column}: {what}", {column: value})
        for table, column in ((ORDERS, "ordered_at"), (EVENTS, "occurred_at"))
        for what, value in _TIMES.items()
    ]
    rows += [
        BadInput(table, f"{column}: SQL and other metacharacters", {column: METACHARACTERS})
        for table, columns in _TEXT_COLUMNS.items()
        for column in columns
    ]
    rows += [
        BadInput(table, f"{column}: {what}", {column: value})
        for table, column in (
            (ORDERS, "order_id"),
            (ORDERS, "customer_id"),
            (EVENTS, "event_id"),
            (EVENTS, "event_type"),
            (CUSTOMERS, "customer_id"),
            (PRODUCTS, "product_id"),
        )
        for what, value in _WORDS.items()
    ]
    return [*rows, *_OTHERS]


_OTHERS = [
    BadInput(ORDERS, "customer_id: unicode of every kind", {"customer_id": UNICODE}),
    BadInput(ORDERS, "customer_id: nobody in customers", {"customer_id": "nobody"}),
    BadInput(ORDERS, "order_id: that of another order of the day", {"order_id": "o0-2"}),
    BadInput(ORDERS, "order_id: that of an order of last week", {"order_id": "o7-2"}),
    BadInput(ORDERS, "currency: another one", {"currency": "XXX"}),
    BadInput(ORDERS, "status: unheard of", {"status": "Lost at sea"}),
    BadInput(ORDERS, "updated_at: infinity", {"updated_at": "infinity"}),
    BadInput(ORDERS, "updated_at: in year 9999", {"updated_at": "9999-12-31 23:59Z"}),
    BadInput(ORDERS, "ordered_at: first instant of the day", {"ordered_at": "2026-06-10 00:00+02"}),
    BadInput(ORDERS, "ordered_at: last microsecond of the day", {"ordered_at": "2026-06-10 23:59:59.999999+02"}),
    BadInput(ORDERS, "total_amount: minus zero", {"total_amount": -0.0}),
    BadInput(ORDERS, "discount_amount: more than was paid", {"discount_amount": 1e6}),
    BadInput(ORDER_ITEMS, "order_id: missing", {"order_id": None}),
    BadInput(ORDER_ITEMS, "order_id: no such order", {"order_id": "nothing"}),
    BadInput(ORDER_ITEMS, "order_id: an order that is set aside", {"order_id": "bad-0"}),
    BadInput(ORDER_ITEMS, "line_no: missing", {"line_no": None}),
    BadInput(ORDER_ITEMS, "line_no: that of another line", {"line_no": 1}),
    BadInput(ORDER_ITEMS, "product_id: missing", {"product_id": None}),
    BadInput(ORDER_ITEMS, "quantity: zero", {"quantity": 0}),
    BadInput(EVENTS, "customer_id: missing (an anonymous visit)", {"customer_id": None}),
    BadInput(EVENTS, "event_id: that of another event of the day", {"event_id": "eo0-2"}),
    BadInput(EVENTS, "event_type: in capitals", {"event_type": "PURCHASE"}),
    BadInput(EVENTS, "loaded_at: missing", {"loaded_at": None}),
    BadInput(
        EVENTS, "campaign_id: SQL and other metacharacters", {"properties": json.dumps({"campaign_id": METACHARACTERS})}
    ),
    BadInput(EVENTS, "properties: 10 MB", {"properties": '{"campaign_id": "x", "log": "%s"}' % ("y" * 10_000_000)}),
    BadInput(EVENTS, "properties: a campaign of 1 MB", {"properties": '{"campaign_id": "%s"}' % ("y" * 1_000_000)}),
    BadInput(EVENTS, "properties: nested 1,000 deep", {"properties": "[" * 1_000 + "]" * 1_000}),
    BadInput(EVENTS, "properties: a campaign that is an object", {"properties": '{"campaign_id": {"a": [1]}}'}),
    BadInput(EVENTS, "properties: a number, no object", {"properties": "17"}),
    BadInput(CUSTOMERS, "customer_id: that of another customer", {"customer_id": "c1"}),
    BadInput(CUSTOMERS, "created_at: infinity", {"created_at": "infinity"}),
    BadInput(CUSTOMERS, "created_at: in year 9999", {"created_at": "9999-12-31 23:59Z"}),
    BadInput(PRODUCTS, "product_id: that of another product", {"product_id": "p1"}),
    BadInput(PRODUCTS, "list_price: negative", {"list_price": -1}),
    BadInput(PRODUCTS, "list_price: not a number", {"list_price": "NaN"}),
]

BAD_SOURCES = [
    BadSource("an order in year 9999", "update shop.orders set ordered_at = '9999-12-31' where order_id = 'o0-1'"),
    BadSource("an order at infinity", "update shop.orders set ordered_at = 'infinity' where order_id = 'o0-1'"),
    BadSource("an event tomorrow", "update shop.events set occurred_at = '2026-06-12Z' where event_id = 'eo0-1'"),
    BadSource("no orders on the day", "delete from shop.orders where ordered_at >= '2026-06-09 22:00Z'"),
    BadSource(
        "a tenth of the usual orders",
        "delete from shop.orders where ordered_at >= '2026-06-09 22:00Z' and order_id not in ('o0-1', 'o0-2')",
    ),
    BadSource(
        "the day's orders loaded twice", "insert into shop.orders select * from shop.orders where order_id like 'o0-%'"
    ),
    BadSource(
        "a third of the amounts missing",
        "update shop.orders set total_amount = null where order_id like 'o0-%' and order_id ~ '[147]$'",
    ),
    BadSource("a column renamed", "alter table shop.orders rename total_amount to amount"),
    BadSource("a column dropped", "alter table shop.events drop column channel"),
    BadSource("amounts became text", "alter table shop.orders alter total_amount type text"),
    BadSource("times became numbers", "alter table shop.events alter occurred_at type bigint using 0"),
    BadSource("a table renamed", "alter table shop.events rename to clicks"),
    BadSource("a right revoked", "revoke select on shop.orders from segmentation_extract"),
    BadSource("a column added", "alter table shop.orders add gift_note text default 'private'"),
    BadSource("a type widened", "alter table shop.order_items alter line_no type bigint"),
]


def run_bad_inputs(server: Server, home: Path) -> Outcomes:
    """Put every malformed input into a shop, and find what became of it.

    Parameters
    ----------
    server : Server
        A running server on which this may make databases.
    home : Path
        An empty folder.

    Returns
    -------
    Outcomes
    """
    set_up_server(server)
    _make_source(server)
    warehouse = server.engine(WAREHOUSE_DATABASE, PUBLISH_ROLE)
    found = [
        (one.what, _tried(server, warehouse, home / f"source_{n}", one, f"{_SOURCE}_{n}"))
        for n, one in enumerate(BAD_SOURCES)
    ]
    rows = bad_rows()
    engine = server.engine(_SOURCE)
    refused = {n: problem for n, row in enumerate(rows) if (problem := _insert(engine, n, row))}
    settings = _settings(home / "rows", quarantine_share_limit=1, duplicate_share_limit=1)
    urls = server.url(_SOURCE, EXTRACT_ROLE), server.url(WAREHOUSE_DATABASE, PUBLISH_ROLE)
    run_night(settings, DAY, *urls, now=NOW, run_id="bad_inputs", accept_unusual_day=True)
    # the night after looks at the same rows again, to see whether they have changed
    after = DAY + timedelta(days=1)
    run_night(settings, after, *urls, now=NOW + timedelta(days=1), run_id="night_after", accept_unusual_day=True)
    files = {(name, table): _read(settings, name, table) for name in (CHECKED, QUARANTINE, RAW) for table in _GOOD}
    outcomes = [(row.table, row.what, refused.get(n) or _outcome(files, n, row)) for n, row in enumerate(rows)]
    table = pd.DataFrame([*outcomes, *(("source", *each) for each in found)], columns=["table", "input", "outcome"])
    table.index += 1
    with warehouse.connect() as connection:
        query = select(metrics.c.detail, metrics.c.passed)
        gate = connection.execute(query.where(metrics.c.metric == GATE, metrics.c.business_day == DAY)).one()
    lost = table["outcome"].str.startswith("lost").any()
    return Outcomes(table, gate.detail, bool(gate.passed) and not lost)


def describe(outcomes: Outcomes) -> str:
    """Return the outcomes as a Markdown table, with the account of the night that had the rows."""
    rows = [("n", *outcomes.table.columns), ("---",) * 4, *outcomes.table.itertuples()]
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([*lines, "", f"The night's account: {outcomes.account}"])


def _settings(home: Path, **checks: float) -> Settings:
    return Settings(
        home=home,
        timezone="Europe/Berlin",
        checks=checks,
        # what is tested is the rows' way, not what is learnt from them
        encoder={"minimum_customers": 100_000},
        evaluate={"moved_share_limit": 1.0, "usefulness_margin": 1.0},
    )


def _make_source(server: Server) -> None:
    create_source(server, _SOURCE)
    engine = server.engine(_SOURCE)
    with engine.begin() as connection:
        connection.exec_driver_sql((_SQL / "fill_bad_inputs.sql").read_text())
    # a database that somebody is connected to cannot be copied
    engine.dispose()


def _tried(server: Server, warehouse: Engine, home: Path, bad: BadSource, database: str) -> str:
    create_database(server, database, template=_SOURCE)
    engine = server.engine(database)
    with engine.begin() as connection:
        connection.execute(text(bad.statement))
    engine.dispose()
    settings = _settings(home)
    try:
        # the night before saw the source as it was
        extract_day(settings, DAY - timedelta(days=1), server.url(_SOURCE, EXTRACT_ROLE), NOW)
        extract_day(settings, DAY, server.url(database, EXTRACT_ROLE), NOW)
        result = validate_day(settings, DAY, warehouse, database, NOW)
    except SegmentationError as error:
        first = str(error).split(". ")[0].removesuffix(".")
        return f"stops the run: {type(error).__name__}, {first}"
    finally:
        server.drop_database(database)
    return f"accepted{', noted: ' + '; '.join(result.warnings) if result.warnings else ''}"


def _insert(engine: Engine, n: int, row: BadInput) -> str:
    """Insert a malformed row; return in words that the database refuses it, '' if it does not."""
    good = {name: _marked(value, n) for name, value in _GOOD[row.table].items()}
    values = good | row.faults
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier("shop", row.table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(sql.Placeholder() * len(values)),
    )
    with engine.begin() as connection:
        cursor = connection.connection.cursor()
        try:
            cursor.execute(statement, list(values.values()))
        except Exception as error:
            connection.connection.rollback()
            return f"refused by Postgres: {str(error).splitlines()[0]}"
    return ""


def _marked(value: Any, n: int) -> Any:
    if value == "{n}":
        return 1000 + n
    return value.format(n=n) if isinstance(value, str) else value


def _read(settings: Settings, files: str, table: str) -> list[dict[str, Any]]:
    path = settings.lake.rows_file(files, table, DAY)
    return pq.ParquetFile(path).read().to_pylist() if path.exists() else []


def _outcome(files: dict[tuple[str, str], list[dict[str, Any]]], n: int, row: BadInput) -> str:
    mark = next(name for name in _MARKS[row.table] if name not in row.faults)
    value = _marked(_GOOD[row.table][mark], n)
    places = {
        name: [one for one in files[name, row.table] if one[mark] == value] for name in (CHECKED, QUARANTINE, RAW)
    }
    if places[QUARANTINE]:
        return f"set aside: {places[QUARANTINE][0]['reason']}"
    if places[CHECKED]:
        words = [name for name in _TEXT_COLUMNS[row.table] if name in row.faults]
        changed = [name for name in words if places[CHECKED][0][name] != row.faults[name]]
        key = [name for name in KEYS[row.table] if name in row.faults]
        twins = [one for one in files[QUARANTINE, row.table] if key and one[key[0]] == row.faults[key[0]]]
        if changed:
            return f"lost: {changed} changed on the way"
        return f"kept; the other row is set aside: {twins[0]['reason']}" if twins else "kept"
    return "lost" if places[RAW] else "left out: no usable time, counted in the account"
