"""A password may hold any character, and none of it may get lost or logged on the way to libpq."""

import pytest
from airflow.sdk import Connection
from sqlalchemy import text

from segmentation.connections import engine_for
from segmentation.demo.postgres import Server
from segmentation.errors import InvalidSetting, MissingConnection
from segmentation_airflow.urls import SOURCE, libpq_url, url_of


def test_special_characters_of_a_password_reach_the_server(server: Server) -> None:
    password = "p@ss:w/o%r?d #1 'ü"
    set_password = (
        "do $$ begin execute format('alter role odd_password password %L', current_setting('odd.password')); end $$"
    )
    with server.engine("postgres").begin() as owner:
        owner.execute(text("create role odd_password login"))
        owner.execute(text("select set_config('odd.password', :password, true)"), {"password": password})
        owner.execute(text(set_password))
    url = libpq_url(
        Connection(
            conn_id=SOURCE,
            conn_type="postgres",
            host="127.0.0.1",
            port=server.port,
            login="odd_password",
            password=password,
            schema="postgres",
            extra='{"application_name": "night shift"}',
        )
    )
    try:
        with engine_for(url).connect() as connection:
            assert connection.scalar(text("select session_user")) == "odd_password"
            assert connection.scalar(text("show application_name")) == "night shift"
    finally:
        with server.engine("postgres").begin() as owner:
            owner.execute(text("drop role odd_password"))


def test_the_environment_gives_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_SEGMENTATION_SOURCE", "postgresql://reader:a%40b@db.shop:5433/orders?sslmode=require"
    )
    assert url_of(SOURCE) == "postgresql://reader:a%40b@db.shop:5433/orders?sslmode=require"


def test_a_missing_connection_says_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_SEGMENTATION_SOURCE", raising=False)
    with pytest.raises(MissingConnection, match="AIRFLOW_CONN_SEGMENTATION_SOURCE=postgresql://"):
        url_of(SOURCE)


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="has to be a Postgres one") as refused:
        libpq_url(Connection(conn_id=SOURCE, conn_type="mysql", host="db", login="u", password="secret"))
    assert "secret" not in str(refused.value)
