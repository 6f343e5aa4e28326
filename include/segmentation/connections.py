"""Database URLs and engines, and what a failed connection means in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from segmentation.errors import ConnectionLost, DatabaseUnreachable, LoginRefused

_REFUSED = (
    "password authentication failed",
    "no password supplied",
    "permission denied for database",
    "no pg_hba.conf entry",
)
_REFUSED_PATTERN = re.compile(r'role ".*" (does not exist|is not permitted to log in)|database ".*" does not exist')
# the server, or somebody between, ended a connection that had been made
_LOST = (
    "server closed the connection",
    "terminating connection",
    "conflict with recovery",
    "ssl syscall error",
    # what the driver says of a connection that it found closed before
    "connection already closed",
    "cursor already closed",
)
_UNREACHABLE = (
    "connection refused",
    "could not connect",
    "could not translate host name",
    "timeout expired",
    "no route to host",
    "the database system is",
    "connection to server",
    "not known",
)


def sqlalchemy_url(url: str) -> str:
    """Name the driver in a libpq URL: SQLAlchemy 2.1 reads a bare ``postgresql://`` as psycopg 3.

    Examples
    --------
    >>> sqlalchemy_url("postgresql://u:p@h:5432/shop")
    'postgresql+psycopg2://u:p@h:5432/shop'
    """
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg2://", url)


def engine_for(url: str, connect_timeout_s: int = 10) -> Engine:
    """Return an engine for a libpq URL; nothing is connected yet.

    Parameters
    ----------
    url : str
        ``postgresql://user:password@host:port/database``.
    connect_timeout_s : int
        Seconds to wait for a connection.
    """
    return create_engine(sqlalchemy_url(url), connect_args={"connect_timeout": connect_timeout_s}, pool_pre_ping=True)


def where(url: str) -> str:
    """Describe a URL without its password.

    Examples
    --------
    >>> where("postgresql://u:secret@db.shop:5432/orders")
    'db.shop:5432/orders'
    """
    parsed = make_url(url)
    return f"{parsed.host or 'localhost'}:{parsed.port or 5432}/{parsed.database}"


@contextmanager
def named_errors(database: str, url: str) -> Iterator[None]:
    """Turn a driver's connection failure inside the block into a named error.

    Parameters
    ----------
    database : str
        What the database is to the reader: ``source`` or ``warehouse``.
    url : str
        Where it was looked for.

    Raises
    ------
    LoginRefused
        Wrong password, unknown role or database, or a role that may not connect.
    DatabaseUnreachable
        No server, no route or a timeout.
    ConnectionLost
        A connection that broke, or was cancelled by the server, on the way.
    """
    try:
        yield
    except Exception as error:
        found = connection_failure(error, database, url)
        if found is None:
            raise
        raise found from error


def connection_failure(error: Exception, database: str, url: str) -> DatabaseUnreachable | LoginRefused | None:
    """Return the named error for a driver's connection failure, or None if it is something else."""
    if not (
        isinstance(error, OperationalError | DBAPIError)
        or type(error).__module__.startswith(("psycopg2", "adbc_driver"))
    ):
        return None
    message = str(error)
    lowered = message.lower()
    if any(part in lowered for part in _REFUSED) or _REFUSED_PATTERN.search(message):
        return LoginRefused(database, make_url(url).username or "", where(url))
    if any(part in lowered for part in _LOST):
        return ConnectionLost(database, where(url), _first_line(message))
    if any(part in lowered for part in _UNREACHABLE):
        return DatabaseUnreachable(database, where(url), _first_line(message))
    return None


def _first_line(message: str) -> str:
    line = message.strip().splitlines()[0] if message.strip() else "no answer"
    # a driver may echo the connection string: never a password into a log
    return re.sub(r"(password=|://[^:/\s]+:)[^@\s]+", r"\1***", line)


@contextmanager
def sole_holder(engine: Engine, lock: str) -> Iterator[bool]:
    """Try to be the only process with a lock for the length of the block; a process that dies lets go.

    Parameters
    ----------
    engine : Engine
        The database whose sessions share the lock.
    lock : str
        Its name.

    Yields
    ------
    bool
        False if another process has it.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        held = bool(connection.scalar(text("select pg_try_advisory_lock(hashtext(:lock))"), {"lock": lock}))
        try:
            yield held
        finally:
            if held:
                connection.execute(text("select pg_advisory_unlock(hashtext(:lock))"), {"lock": lock})
