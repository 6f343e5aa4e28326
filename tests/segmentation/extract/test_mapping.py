"""A mapping file is written by hand: each slip must be answered with file, table, column and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from segmentation.errors import InvalidMapping
from segmentation.extract.contract import COLUMNS
from segmentation.extract.mapping import DEFAULT_MAPPING, Expression, load_mapping


def test_the_default_file_names_every_column_of_the_contract_and_no_other() -> None:
    written = yaml.safe_load(DEFAULT_MAPPING.read_text())

    # few shops sell in several currencies: the table of rates is off until a shop's file names it
    assert written.pop("rates") is None
    assert {table: list(content["columns"]) for table, content in written.items()} == {
        table: list(columns) for table, columns in COLUMNS.items() if table != "rates"
    }
    assert not {"email", "birth_year"} & {column for columns in COLUMNS.values() for column in columns}


def test_a_file_overrides_what_it_names_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "shop.yml"
    path.write_text(
        "orders:\n  table: sales.invoices\n  columns:\n    order_id: number\n    coupon_code: null\n"
        "    status: {expression: \"case when paid then 'completed' else 'cancelled' end\"}\nevents: null\n"
    )

    mapping = load_mapping(path)

    assert set(mapping.tables) == {"customers", "products", "orders", "order_items"}
    orders = mapping.tables["orders"]
    assert (orders.schema_name, orders.relation_name) == ("sales", "invoices")
    assert orders.columns["order_id"] == "number"
    assert orders.columns["coupon_code"] is None
    assert isinstance(orders.columns["status"], Expression)
    assert orders.columns["customer_id"] == "customer_id"
    assert mapping.tables["products"] == load_mapping().tables["products"]


def test_a_table_that_is_off_by_default_keeps_the_contracts_column_names(tmp_path: Path) -> None:
    path = tmp_path / "shop.yml"
    path.write_text("rates:\n  table: bank.daily\n  columns:\n    rate: euros\n")

    assert load_mapping(path).tables["rates"].columns == {"day": "day", "currency": "currency", "rate": "euros"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("order: {}", "unknown table 'order'. Did you mean 'orders'?", id="table"),
        pytest.param(
            "warehouse: {}",
            "unknown table 'warehouse'. Known are: customers, products, rates, orders, order_items, events.",
            id="no table like it",
        ),
        pytest.param(
            "orders: {columns: {totl_amount: x}}",
            "orders has an unknown column 'totl_amount'. Did you mean 'total_amount'?",
            id="column",
        ),
        pytest.param("rates: {columns: {rate: euros}}", "rates.table is wrong. Field required.", id="rates nowhere"),
        pytest.param(
            "customers: {columns: {email: email}}", "customers has an unknown column 'email'. ", id="personal column"
        ),
        pytest.param(
            "orders: {colums: {}}", "orders has an unknown entry 'colums'. Did you mean 'columns'?", id="entry"
        ),
        pytest.param(
            "orders: {columns: {total_amount: null}}",
            "orders.columns.total_amount is null, but it is required. Name the source column or give an expression",
            id="required column",
        ),
        pytest.param(
            "events: {columns: {event_type: null}}",
            "If the shop has no events at all, write `events: null`.",
            id="required column of an optional table",
        ),
        pytest.param("orders: null", "orders is null. Segments are made from orders", id="orders"),
        pytest.param(
            "orders: {columns: {status: 7}}",
            'orders.columns.status is 7. Write a column name, {expression: "…"} or null.',
            id="number for a column",
        ),
        pytest.param(
            "orders: {columns: {status: {expresion: x}}}", "orders.columns.status is ", id="misspelt expression"
        ),
        pytest.param(
            "orders: {table: orders}",
            "orders.table is wrong. 'orders' is not of the form schema.table, as in shop.orders.",
            id="table without schema",
        ),
        pytest.param(
            "orders: shop.orders", "Write its source table as `table: shop.orders` under orders", id="no entries"
        ),
        pytest.param("orders: {columns: [a]}", "orders.columns is ['a']. Write one `contract name: ", id="list"),
        pytest.param("- orders", "it holds no tables. Compare it with extract/mapping.yml.", id="no tables"),
        pytest.param("orders:\n  table: [\n", "it is no valid YAML in line 3.", id="no YAML"),
    ],
)
def test_a_slip_is_answered_with_its_remedy(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "shop.yml"
    path.write_text(text)

    with pytest.raises(InvalidMapping) as caught:
        load_mapping(path)

    assert str(caught.value).startswith(f"mapping file {path}: ")
    assert message in str(caught.value)
