"""One read-only look at the source: a single snapshot, a role that only reads, every wait with an end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pyarrow as pa
from sqlalchemy.engine import make_url

from segmentation.calendar import day_interval
from segmentation.config import ExtractSettings
from segmentation.connections import named_errors
from segmentation.errors import SourceTooSlow, UnreadableValue

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

_APPLICATION = "segmentation extract"
_QUERY_CANCELED = "57014"
# batches that fit the allocator's recycled memory: fresh pages for 16 MB ones (the default) cost a tenth of the time
_SMALL_BATCHES = {"adbc.postgresql.batch_size_hint_bytes": str(1 << 20)}
_DATA_EXCEPTION = "22"
# a failure while rows are read has no SQLSTATE, only text
_ABOUT_A_VALUE = re.compile(r"ERROR:\s+(invalid (input|value)|.* out of range|division by zero)")
_BEGIN = "set transaction isolation level repeatable read, read only"


@dataclass(frozen=True)
class Source:
    """An open transaction on the source: repeatable read, read only.

    Attributes
    ----------
    connection
        The ADBC connection; it reads query results by binary COPY.
    user
        Role that reads.
    statement_timeout_s
        Seconds one query may take.
    """

    connection: Connection
    user: str
    statement_timeout_s: int

    def query(self, sql: str, about: str) -> pa.Table:
        """Run one query and return its rows.

        Parameters
        ----------
        sql : str
            A query without parameters: a driver that is given any reads row by row instead of by COPY.
        about : str
            What is asked for, as an error should call it.

        Raises
        ------
        SourceTooSlow
            If it takes longer than the statement timeout.
        UnreadableValue
            If a value cannot be cast, or an expression cannot be computed for it.
        """
        try:
            with self.connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**_SMALL_BATCHES)
                cursor.execute(sql)
                return cursor.fetch_arrow_table()
        except Exception as error:
            if _QUERY_CANCELED in (getattr(error, "sqlstate", None), _state_in(error)):
                raise SourceTooSlow(about, self.statement_timeout_s) from error
            if problem := _unreadable(error):
                # without its cause: the driver's text quotes the value
                raise UnreadableValue(about, problem) from None
            raise

    def export_snapshot(self) -> str:
        """Return a name by which other sources can be opened to see exactly these rows, while this one is open."""
        return self.row("select pg_export_snapshot() as name", "the snapshot")["name"]

    def row(self, sql: str, about: str) -> dict[str, Any]:
        """Run a query that yields exactly one row and return it by column name."""
        (row,) = self.query(sql, about).to_pylist()
        return row


@contextmanager
def open_source(settings: ExtractSettings, url: str, snapshot: str | None = None) -> Iterator[Source]:
    """Open the source for reading and close it at the end of the block.

    Parameters
    ----------
    settings : ExtractSettings
        Timeouts, in seconds.
    url : str
        ``postgresql://role:password@host:port/database``.
    snapshot : str, optional
        What `Source.export_snapshot` of another open source gave: both see the same rows.

    Raises
    ------
    LoginRefused
        If the server refuses role or password.
    DatabaseUnreachable
        If there is no server, or the connection breaks inside the block (then a `ConnectionLost`).
    """
    from adbc_driver_postgresql import dbapi

    options = {
        "connect_timeout": str(settings.connect_timeout_s),
        "application_name": _APPLICATION,
        "client_encoding": "UTF8",
        # a dead network is noticed within two minutes, however long the query may take
        "keepalives_idle": "60",
        "keepalives_interval": "15",
        "keepalives_count": "4",
    }
    uri = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)
    uri += ("&" if "?" in uri else "?") + urlencode(options, quote_via=quote)
    with named_errors("source", url), dbapi.connect(uri, autocommit=False) as connection:
        with connection.cursor() as cursor:
            cursor.execute(_BEGIN)
            if snapshot is not None:
                cursor.execute(f"set transaction snapshot {quote_text(snapshot)}")
            cursor.execute(f"set statement_timeout = '{settings.statement_timeout_s}s'")
        yield Source(connection, make_url(url).username or "", settings.statement_timeout_s)
        connection.rollback()


def load_sql(name: str) -> str:
    """Return the text of one of this step's SQL files; its ``{names}`` are for literals and quoted identifiers."""
    return Path(__file__).with_name(f"{name}.sql").read_text()


def quote_name(name: str) -> str:
    """Quote an identifier.

    Examples
    --------
    >>> quote_name("Order lines")
    '"Order lines"'
    """
    return '"' + name.replace('"', '""') + '"'


def quote_text(value: str) -> str:
    """Quote a text literal.

    Examples
    --------
    >>> quote_text("O'Higgins")
    "'O''Higgins'"
    """
    return "'" + value.replace("'", "''") + "'"


def quote_time(instant: datetime) -> str:
    """Write an instant (timezone-aware) as an SQL literal.

    Examples
    --------
    >>> from datetime import UTC
    >>> quote_time(datetime(2017, 10, 1, 4, tzinfo=UTC))
    "timestamptz '2017-10-01T04:00:00+00:00'"
    """
    return f"timestamptz '{instant.isoformat()}'"


def day_literals(days: Sequence[date], timezone: str) -> dict[str, str]:
    """Write consecutive business days as SQL literals.

    Parameters
    ----------
    days : sequence of date
        Consecutive business days, first one first.
    timezone : str
        IANA name of the shop's timezone.

    Returns
    -------
    dict
        ``start`` and ``end`` of the half-open interval, and ``day_starts``, an array of each day's first instant.

    Examples
    --------
    >>> day_literals([date(2017, 10, 1)], "Europe/Berlin")["end"]
    "timestamptz '2017-10-01T22:00:00+00:00'"
    """
    starts = [quote_time(day_interval(day, timezone).start) for day in days]
    return {
        "start": starts[0],
        "end": quote_time(day_interval(days[-1], timezone).end),
        "day_starts": f"array[{', '.join(starts)}]",
    }


def _unreadable(error: Exception) -> str:
    """Say what is wrong with a value, without the value; '' if that is not what failed."""
    state, message = getattr(error, "sqlstate", None) or "", str(error)
    if not state.startswith(_DATA_EXCEPTION) and not _ABOUT_A_VALUE.search(message):
        return ""
    # after a colon or in quotes comes the value
    return re.split(r"[:\"]", message.partition("ERROR:")[2].strip())[0].strip() or f"SQLSTATE {state}"


def _state_in(error: Exception) -> str | None:
    """Return the SQLSTATE of a failure while rows are read, which the stream only has as text."""
    return _QUERY_CANCELED if "canceling statement due to statement timeout" in str(error) else None
