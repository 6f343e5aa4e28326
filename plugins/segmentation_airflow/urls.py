"""Airflow connections as libpq URLs. A URL holds a password: it is handed on, never logged, never in an XCom."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from segmentation.connections import engine_for, named_errors
from segmentation.errors import InvalidSetting, MissingConnection

if TYPE_CHECKING:
    from sqlalchemy import Engine

SOURCE = "segmentation_source"
WAREHOUSE = "segmentation_warehouse"
#: Optional: the warehouse as the role `marketing`; the Segments page reads through it.
MARKETING = "segmentation_marketing"

_POSTGRES = ("postgres", "postgresql")


def url_of(conn_id: str) -> str:
    """Return the libpq URL of an Airflow connection.

    Parameters
    ----------
    conn_id : str
        ``segmentation_source``, ``segmentation_warehouse`` or ``segmentation_marketing``.

    Returns
    -------
    str
        ``postgresql://user:password@host:port/database``, special characters percent-encoded.

    Raises
    ------
    MissingConnection
        If there is no such connection.
    InvalidSetting
        If it is not a Postgres connection.
    """
    try:
        connection = Connection.get(conn_id)
    except AirflowNotFoundException as error:
        raise MissingConnection(conn_id) from error
    return libpq_url(connection)


def open_warehouse() -> Engine:
    """Return the engine of the warehouse, tried once so that an outage or a wrong password is told in words.

    Raises
    ------
    DatabaseUnreachable, LoginRefused
        If the warehouse cannot be used.
    """
    url = url_of(WAREHOUSE)
    engine = engine_for(url)
    with named_errors("warehouse", url), engine.connect():
        return engine


def libpq_url(connection: Connection) -> str:
    """Write a Postgres connection as a libpq URL; its extras (``sslmode`` …) become parameters.

    Raises
    ------
    InvalidSetting
        If it is not a Postgres connection.
    """
    if connection.conn_type not in _POSTGRES:
        raise InvalidSetting(
            f"AIRFLOW_CONN_{connection.conn_id.upper()}",
            connection.conn_type,
            "the connection has to be a Postgres one, like postgresql://user:password@host:5432/database.",
        )
    login = quote(connection.login or "", safe="")
    password = f":{quote(connection.password, safe='')}" if connection.password else ""
    port = f":{connection.port}" if connection.port else ""
    host = f"{login}{password}@{connection.host or 'localhost'}{port}"
    extras = {name: value for name, value in connection.extra_dejson.items() if isinstance(value, str | int)}
    query = f"?{urlencode(extras)}" if extras else ""
    return f"postgresql://{host}/{quote(connection.schema or '', safe='')}{query}"
