"""A shop's source database: what is copied arrives as it was, half a load never stays, and who may see what."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import psycopg2
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from segmentation.catalog import EXTRACT_ROLE, ORDERS
from segmentation.connections import engine_for
from segmentation.demo import source
from segmentation.demo.postgres import Server
from segmentation.demo.source import SHOP_TABLES, copy_frame, create_source, load_source, require_equal
from segmentation.errors import LoadMismatch, OtherShopLoaded


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    yield "source"
    server.drop_database("source")


def test_copied_values_arrive_unchanged(server: Server, database: str) -> None:
    create_source(server, database)
    noon = pd.Timestamp("2026-03-29 12:00", tz="Europe/Berlin")
    customers = pd.DataFrame(
        {
            "customer_id": [1, 2, 3],
            "created_at": [noon] * 3,
            "email": ['o"neill, anna\nsecond line', "", None],
            "country": pd.Categorical(["DE", None, "AT"]),
            "birth_year": pd.array([1970, None, 1990], dtype="Int64"),
            "updated_at": [noon] * 3,
        }
    )
    with server.engine(database).begin() as connection:
        assert copy_frame(connection, "shop.customers", customers) == 3
        found = connection.execute(
            text("select email, country, birth_year, created_at from shop.customers order by customer_id")
        ).all()
    assert [row.email for row in found] == ['o"neill, anna\nsecond line', "", None]
    assert [row.country for row in found] == ["DE", None, "AT"]
    assert [row.birth_year for row in found] == [1970, None, 1990]
    assert all(row.created_at == noon for row in found)


def test_long_frames_are_copied_whole(server: Server, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_ROWS_PER_COPY", 10)
    create_source(server, database)
    count = 31
    orders = pd.DataFrame(
        {
            "order_id": range(count),
            "customer_id": 1,
            "ordered_at": pd.Timestamp("2026-01-01", tz="UTC"),
            "status": "completed",
            "currency": "EUR",
            "total_amount": 0.1,
            "updated_at": pd.Timestamp("2026-01-01", tz="UTC"),
        }
    )
    with server.engine(database).begin() as connection:
        copy_frame(connection, "shop.orders", orders)
        found = connection.execute(
            text("select count(*), sum(total_amount)::text, sum(discount_amount)::text from shop.orders")
        ).one()
    assert tuple(found) == (count, "3.10", "0.00")


def test_extract_role_reads_the_shop_without_personal_data(small_shop) -> None:
    reader = engine_for(small_shop.url)
    with reader.connect() as connection:
        for table in ("products", "orders", "order_items", "events"):
            assert connection.scalar(text(f"select count(*) from shop.{table}")) > 0
        assert connection.scalar(text("select count(customer_id) from shop.customers where country = 'DE'")) > 0


@pytest.mark.parametrize(
    "statement",
    [
        "select email from shop.customers",
        "select birth_year from shop.customers",
        "select * from shop.customers",
        "select * from simulation.customer_types",
        "insert into shop.products (product_id, updated_at) values (1, now())",
        "update shop.orders set status = 'cancelled'",
        "delete from shop.events",
        "truncate shop.orders",
        "drop table shop.orders",
        "create table shop.mine (a int)",
        "create table public.mine (a int)",
        "create temporary table mine (a int)",
        "create schema mine",
    ],
)
def test_extract_role_may_not(small_shop, statement: str) -> None:
    with (
        engine_for(small_shop.url).begin() as connection,
        pytest.raises(DBAPIError, match=r"permission denied|must be owner"),
    ):
        connection.execute(text(statement))


def test_extract_role_may_not_connect_to_a_database_of_somebody_else(server: Server) -> None:
    server.create_database("somebody_else")
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        psycopg2.connect(server.url("somebody_else", EXTRACT_ROLE))


def _one_order(connection: Connection) -> tuple[dict[str, int], dict[str, str]]:
    now = pd.Timestamp("2026-01-01", tz="UTC")
    row = {
        "order_id": [1],
        "customer_id": [1],
        "ordered_at": [now],
        "status": ["completed"],
        "currency": ["EUR"],
        "total_amount": [9.99],
        "updated_at": [now],
    }
    return {ORDERS: copy_frame(connection, "shop.orders", pd.DataFrame(row))}, {"amount paid": "9.99"}


def _orders(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text("select count(*) from shop.orders")) or 0)


def test_load_is_done_once(server: Server, database: str) -> None:
    first = load_source(server, database, {"shop": "tiny"}, SHOP_TABLES, _one_order)
    again = load_source(server, database, {"shop": "tiny"}, SHOP_TABLES, _one_order)
    assert (first.loaded_now, again.loaded_now) == (True, False)
    assert (again.rows, again.totals) == (first.rows, first.totals) == ({"orders": 1}, {"amount paid": "9.99"})
    assert again.lines() == ["there already: 1 orders", "amount paid: 9.99"]
    assert _orders(server.engine(database)) == 1


def test_killed_load_is_done_again_from_the_start(server: Server, database: str) -> None:
    def killed(connection: Connection) -> tuple[dict[str, int], dict[str, str]]:
        _one_order(connection)
        with server.engine("postgres").connect() as other:
            other.execute(
                text("select pg_terminate_backend(pid) from pg_stat_activity where datname = :name"), {"name": database}
            )
        return _one_order(connection)

    with pytest.raises((DBAPIError, psycopg2.Error)):
        load_source(server, database, {"shop": "tiny"}, SHOP_TABLES, killed)
    assert load_source(server, database, {"shop": "tiny"}, SHOP_TABLES, _one_order).loaded_now
    assert _orders(server.engine(database)) == 1


def test_another_shop_is_never_overwritten(server: Server, database: str) -> None:
    load_source(server, database, {"shop": "tiny"}, SHOP_TABLES, _one_order)
    with pytest.raises(
        OtherShopLoaded, match=r"holds \{'shop': 'tiny'\}, not \{'shop': 'other'\}. Nothing was changed"
    ):
        load_source(server, database, {"shop": "other"}, SHOP_TABLES, _one_order)


def test_schema_of_unknown_origin_is_left_alone(server: Server, database: str) -> None:
    create_source(server, database)
    with pytest.raises(OtherShopLoaded, match="a schema shop that no demo loader made"):
        load_source(server, database, {"shop": "tiny"}, SHOP_TABLES, _one_order)


def test_a_cent_of_difference_is_named_and_nothing_stays(server: Server, database: str) -> None:
    def short(connection: Connection) -> tuple[dict[str, int], dict[str, str]]:
        loaded = _one_order(connection)
        cents = connection.scalar(text("select sum(100 * total_amount)::bigint from shop.orders"))
        require_equal("tiny", {"amount paid": 1000}, {"amount paid": cents})
        return loaded

    with pytest.raises(LoadMismatch, match="tiny: amount paid is 1000 in the file and 999 in the database"):
        load_source(server, database, {"shop": "tiny"}, SHOP_TABLES, short)
    with server.engine(database).connect() as connection:
        assert connection.scalar(text("select count(*) from pg_namespace where nspname = 'shop'")) == 0


def test_a_shop_may_lack_tables(server: Server, database: str) -> None:
    create_source(server, database, ("customers", "orders"))
    with server.engine(database).connect() as connection:
        found = connection.scalars(text("select tablename from pg_tables where schemaname = 'shop' order by 1")).all()
    assert found == ["customers", "exchange_rates", "orders"]
