"""Bring the warehouse to the newest schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from segmentation.catalog import OPS
from segmentation.connections import engine_for, named_errors

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = "segmentation:migrate"


def migrate(url: str, revision: str = "head") -> None:
    """Run the migrations that a warehouse lacks; two starters at once wait for each other.

    Parameters
    ----------
    url : str
        libpq URL of the warehouse, as a role that owns the database or may create schemas in it.
    revision : str
        Where to go: `head`, or `base` to take everything down again.

    Raises
    ------
    DatabaseUnreachable, LoginRefused
        If no connection can be made.
    """
    engine = engine_for(url)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    try:
        with named_errors("warehouse", url), engine.begin() as connection:
            connection.execute(text("select pg_advisory_xact_lock(hashtext(:lock))"), {"lock": _LOCK})
            # Alembic's own table lives there, so it has to be there before the first migration
            connection.execute(text(f"create schema if not exists {OPS}"))
            config.attributes["connection"] = connection
            if revision == "base":
                command.downgrade(config, revision)
            else:
                command.upgrade(config, revision)
    finally:
        engine.dispose()
