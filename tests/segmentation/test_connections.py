"""Whatever driver says it in whatever words, a failed connection must reach the reader as one of three errors."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from segmentation.connections import engine_for, named_errors, sqlalchemy_url, where
from segmentation.demo.postgres import Server
from segmentation.errors import ConnectionLost, DatabaseUnreachable, LoginRefused

Connect = Callable[[str], Any]


def by_sqlalchemy(url: str) -> None:
    """Connect as the warehouse steps do."""
    with engine_for(url, connect_timeout_s=2).connect() as connection:
        connection.execute(text("select 1"))


def by_adbc(url: str) -> None:
    """Connect as the extraction does."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(url + "?connect_timeout=2"):
        pass


drivers = pytest.mark.parametrize("connect", [by_sqlalchemy, by_adbc])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Yield a port that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield listener.getsockname()[1]


@drivers
def test_no_server(connect: Connect) -> None:
    url = "postgresql://reader:secret@127.0.0.1:1/shop"
    with pytest.raises(DatabaseUnreachable) as caught, named_errors("source", url):
        connect(url)
    assert str(caught.value).startswith("the source database at 127.0.0.1:1/shop cannot be reached: ")
    assert "secret" not in str(caught.value)


@drivers
def test_a_host_that_does_not_exist(connect: Connect) -> None:
    url = "postgresql://reader:secret@no-such-host.invalid:5432/shop"
    with pytest.raises(DatabaseUnreachable), named_errors("source", url):
        connect(url)


@drivers
def test_a_server_that_never_answers(connect: Connect, silent_port: int) -> None:
    url = f"postgresql://reader:secret@127.0.0.1:{silent_port}/shop"
    with pytest.raises(DatabaseUnreachable), named_errors("warehouse", url):
        connect(url)


@drivers
@pytest.mark.parametrize(
    "login",
    [
        pytest.param("postgres:wrong@{address}/postgres", id="wrong password"),
        pytest.param("nobody:secret@{address}/postgres", id="unknown role"),
        pytest.param("{postgres}@{address}/no_such_database", id="unknown database"),
        pytest.param("{marketing}@{address}/closed", id="role may not connect"),
    ],
)
def test_a_refused_login(server: Server, connect: Connect, login: str) -> None:
    server.create_database("closed")
    url = "postgresql://" + login.format(
        address=f"127.0.0.1:{server.port}",
        postgres=f"postgres:{server.passwords['postgres']}",
        marketing=f"marketing:{server.passwords['marketing']}",
    )
    with pytest.raises(LoginRefused) as caught, named_errors("warehouse", url):
        connect(url)
    message = str(caught.value)
    assert message.startswith(f"the warehouse database at 127.0.0.1:{server.port}/")
    assert "wrong password, or the role may not connect. Nothing was written." in message
    assert not any(password in message for password in server.passwords.values())


def test_a_connection_that_is_ended_midway(server: Server) -> None:
    url = server.url("postgres")
    with (
        pytest.raises(ConnectionLost, match="was lost midway: "),
        named_errors("warehouse", url),
        engine_for(url).connect() as connection,
    ):
        connection.execute(text("select pg_terminate_backend(pg_backend_pid())"))


def test_other_errors_stay_what_they_are(server: Server) -> None:
    url = server.url("postgres")
    with pytest.raises(ZeroDivisionError), named_errors("warehouse", url):
        _ = 1 // 0
    with (
        pytest.raises(Exception, match="no_such_table"),
        named_errors("warehouse", url),
        engine_for(url).connect() as connection,
    ):
        connection.execute(text("select * from no_such_table"))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_scheme_means_psycopg2(scheme: str) -> None:
    assert sqlalchemy_url(f"{scheme}://u:p@h/d") == "postgresql+psycopg2://u:p@h/d"


def test_where_never_shows_a_password() -> None:
    assert where("postgresql://u:p%40ss@h/d") == "h:5432/d"


def test_a_connection_that_the_driver_found_closed_is_lost(server: Server) -> None:
    """A publication whose connection was terminated met this, as an error that is none of `OperationalError`."""
    url = server.url("postgres")
    engine = engine_for(url)
    closed = engine.raw_connection().driver_connection
    closed.close()
    with pytest.raises(ConnectionLost, match="connection already closed"), named_errors("warehouse", url):
        closed.cursor()
    engine.dispose()
