"""The source is somebody's shop: nothing may be written to it, and no wait may be endless."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from segmentation.config import ExtractSettings
from segmentation.connections import engine_for
from segmentation.errors import ConnectionLost, SourceTooSlow
from segmentation.extract.source import open_source

from .conftest import Shop


def test_the_extract_role_can_neither_write_nor_read_personal_data(shop: Shop) -> None:
    engine = engine_for(shop.url)
    for forbidden in (
        "insert into shop.products values (9, null, null, null, null, now())",
        "update shop.orders set status = 'x'",
        "delete from shop.events",
        "create table shop.mine (a int)",
        "create table mine (a int)",
        "select email from shop.customers",
        "select * from shop.customers",
    ):
        with engine.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
            connection.execute(text(forbidden))
    engine.dispose()


def test_even_an_owner_only_reads(shop: Shop) -> None:
    with (
        pytest.raises(Exception, match="cannot execute DELETE in a read-only transaction"),
        open_source(ExtractSettings(), shop.admin_url) as source,
    ):
        source.query("delete from shop.events returning event_id", "events")


def test_all_queries_see_one_snapshot(shop: Shop) -> None:
    with open_source(ExtractSettings(), shop.url) as source:
        before = source.row("select count(*) as rows from shop.orders", "orders")
        shop.execute("delete from shop.orders")
        assert source.row("select count(*) as rows from shop.orders", "orders") == before
        assert source.row("select current_setting('application_name') as name", "x") == {"name": "segmentation extract"}


def test_a_query_that_takes_too_long(shop: Shop) -> None:
    with (
        pytest.raises(SourceTooSlow) as caught,
        open_source(ExtractSettings(statement_timeout_s=1), shop.url) as source,
    ):
        source.query("select pg_sleep(30)", "orders")
    assert str(caught.value).startswith("the source query on orders took longer than 1 s and was cancelled.")
    assert "SEGMENTATION_EXTRACT__STATEMENT_TIMEOUT_S" in str(caught.value)


def test_a_slow_query_that_already_sends_rows(shop: Shop) -> None:
    with (
        pytest.raises(SourceTooSlow),
        open_source(ExtractSettings(statement_timeout_s=1), shop.url) as source,
    ):
        # rows arrive for a second before the timeout falls
        source.query("select n, repeat('x', 1000), pg_sleep(0.001) from generate_series(1, 100000) as n", "orders")


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("select 1 as one", id="between queries"),
        pytest.param(
            "select n, repeat('x', 1000), case when n = 20000 then pg_terminate_backend(pg_backend_pid()) end "
            "from generate_series(1, 50000) as n",
            id="while rows arrive",
        ),
    ],
)
def test_a_connection_that_breaks_midway(shop: Shop, query: str) -> None:
    with pytest.raises(ConnectionLost) as caught, open_source(ExtractSettings(), shop.url) as source:  # noqa: PT012
        process = source.row("select pg_backend_pid() as id", "x")["id"]
        if "terminate" not in query:
            shop.execute("select pg_terminate_backend(:process)", process=process)
        source.query(query, "orders")
    message = str(caught.value)
    assert message.startswith("the connection to the source database at 127.0.0.1:")
    assert "was lost midway: " in message
    assert "Airflow tries again" in message


def test_a_role_name_and_password_with_odd_characters(shop: Shop) -> None:
    shop.execute('drop role if exists "odd one"')
    shop.execute("create role \"odd one\" login password 'a+b c@d/e'")
    shop.execute(f'grant connect on database {shop.admin.url.database} to "odd one"')
    address = shop.url.rsplit("@", 1)[1]
    try:
        with open_source(ExtractSettings(), f"postgresql://odd%20one:a%2Bb%20c%40d%2Fe@{address}") as source:
            assert source.row("select current_user::text as name", "x") == {"name": "odd one"}
            assert source.user == "odd one"
    finally:
        shop.execute(f'revoke connect on database {shop.admin.url.database} from "odd one"')
        shop.execute('drop role "odd one"')
