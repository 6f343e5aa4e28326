"""Who may do what in the warehouse."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg2 import sql
from sqlalchemy import Connection, Engine, text

from segmentation.catalog import MARKETING_ROLE, MARTS, OPS, PUBLISH_ROLE
from segmentation.errors import MissingRole

#: Longest query of marketing, so that a slip cannot occupy the server.
MARKETING_STATEMENT_TIMEOUT = "60s"


def create_roles(engine: Engine, passwords: Mapping[str, str]) -> list[str]:
    """Create those roles that a server lacks; roles that exist keep their password.

    Parameters
    ----------
    engine : Engine
        Any database of the server, as a role that may create roles.
    passwords : mapping of str to str
        Password of each role that is to be there.

    Returns
    -------
    list of str
        Roles that were created.
    """
    with engine.begin() as connection:
        existing = set(connection.scalars(text("select rolname from pg_roles")))
        missing = [role for role in passwords if role not in existing]
        for role in missing:
            _execute(
                connection,
                "create role {role} login nosuperuser nocreatedb nocreaterole password {password}",
                role=sql.Identifier(role),
                password=sql.Literal(passwords[role]),
            )
    return missing


def grant_warehouse_roles(engine: Engine) -> None:
    """Give each role exactly its rights in the warehouse; may be repeated, and is after each migration.

    `segmentation_publish` reads and writes marts and ops, and owns nothing; which migrations have run it may
    read, but not change. `marketing` reads marts, may call the functions there, and nothing else.
    `segmentation_extract` has nothing here.
    If the database is ours alone (no other schemas in it), nobody else may connect to it.

    Parameters
    ----------
    engine : Engine
        The warehouse, as the role that ran the migration.

    Raises
    ------
    MissingRole
        If a role does not exist on the server.
    """
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(hashtext('segmentation:roles'))"))
        existing = set(connection.scalars(text("select rolname from pg_roles")))
        for role in (PUBLISH_ROLE, MARKETING_ROLE):
            if role not in existing:
                raise MissingRole(role)
        others = connection.scalar(
            text(
                "select count(*) from pg_namespace where nspname !~ '^pg_' "
                "and nspname not in ('information_schema', 'public', :marts, :ops)"
            ),
            {"marts": MARTS, "ops": OPS},
        )
        names = {
            "database": sql.Identifier(str(connection.scalar(text("select current_database()")))),
            "marts": sql.Identifier(MARTS),
            "ops": sql.Identifier(OPS),
            "publish": sql.Identifier(PUBLISH_ROLE),
            "marketing": sql.Identifier(MARKETING_ROLE),
            "timeout": sql.Literal(MARKETING_STATEMENT_TIMEOUT),
        }
        statements = [
            "revoke create on schema public from public",
            "revoke all on all tables in schema {marts}, {ops} from {publish}, {marketing}",
            "revoke all on schema {marts}, {ops} from {publish}, {marketing}",
            "grant connect on database {database} to {publish}, {marketing}",
            # publishing loads tonight's labels into temporary tables first
            "grant temporary on database {database} to {publish}",
            "grant usage on schema {marts}, {ops} to {publish}",
            "grant select, insert, update, delete on all tables in schema {marts}, {ops} to {publish}",
            # Alembic's own table: only who migrates says which migrations have run
            "revoke insert, update, delete on {ops}.alembic_version from {publish}",
            "grant usage on schema {marts} to {marketing}",
            "grant select on all tables in schema {marts} to {marketing}",
            # the functions that launch and end campaigns, and the like
            "revoke execute on all functions in schema {marts} from public",
            "grant execute on all functions in schema {marts} to {publish}, {marketing}",
            "alter default privileges in schema {marts}, {ops} "
            "grant select, insert, update, delete on tables to {publish}",
            "alter default privileges in schema {marts} grant select on tables to {marketing}",
            "alter role {marketing} in database {database} set statement_timeout = {timeout}",
        ]
        if not others:
            statements.append("revoke connect, temporary on database {database} from public")
        for statement in statements:
            _execute(connection, statement, **names)


def _execute(connection: Connection, statement: str, **names: sql.Composable) -> None:
    """Run a statement whose names and literals have to be quoted into it (DDL takes no bound values)."""
    cursor = connection.connection.cursor()
    cursor.execute(sql.SQL(statement).format(**names))
    cursor.close()
