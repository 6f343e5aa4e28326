"""What each role must not do in the warehouse, tried as that role."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from segmentation.catalog import EXTRACT_ROLE, MARKETING_ROLE, PUBLISH_ROLE
from segmentation.demo.postgres import Server
from segmentation.errors import MissingRole
from segmentation.publish.query import run_query
from segmentation.publish.roles import create_roles, grant_warehouse_roles
from segmentation.warehouse import metadata, views

MARTS_TABLES = [table.fullname for table in metadata.tables.values() if table.schema == "marts"]
OPS_TABLES = [table.fullname for table in metadata.tables.values() if table.schema == "ops"]


@pytest.fixture
def marketing(server: Server, warehouse_database: str) -> Iterator[Engine]:
    engine = server.engine(warehouse_database, MARKETING_ROLE)
    yield engine
    engine.dispose()


def refused(engine: Engine, statement: str) -> bool:
    """Tell whether a statement fails for want of a right; any other failure is raised."""
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) != "42501":
            raise
        return True
    return False


@pytest.mark.parametrize("table", [*MARTS_TABLES, *views.tables])
def test_marketing_reads_every_mart(marketing: Engine, table: str) -> None:
    assert not refused(marketing, f"select * from {table}")


@pytest.mark.parametrize("table", [*OPS_TABLES, "ops.alembic_version"])
def test_marketing_sees_nothing_of_ops(marketing: Engine, table: str) -> None:
    assert refused(marketing, f"select * from {table}")


@pytest.mark.parametrize(
    "statement",
    [
        "delete from marts.segments",
        "update marts.customer_segments set holdout = false",
        "insert into marts.segments values (9, 'mine', '', 'active', '2026-01-01', null, '{}')",
        "truncate marts.customer_segments",
        "drop table marts.segments",
        "create table marts.mine (x int)",
        "create table public.mine (x int)",
        "create temporary table mine (x int)",
        "create schema mine",
        "create role mine",
    ],
)
def test_marketing_changes_and_creates_nothing(marketing: Engine, statement: str) -> None:
    assert refused(marketing, statement)


def test_marketing_cannot_occupy_the_server(marketing: Engine) -> None:
    with marketing.connect() as connection:
        assert connection.scalar(text("show statement_timeout")) == "1min"


def test_a_mart_of_a_later_migration_is_readable_at_once(
    server: Server, warehouse_database: str, marketing: Engine, warehouse: Engine
) -> None:
    owner = server.engine(warehouse_database)
    with owner.begin() as connection:
        connection.execute(text("create table marts.later (x int)"))
        connection.execute(text("create table ops.later (x int)"))
    owner.dispose()
    assert not refused(marketing, "select * from marts.later")
    assert not refused(warehouse, "insert into marts.later values (1)")
    assert refused(marketing, "select * from ops.later")


@pytest.mark.parametrize("table", [*MARTS_TABLES, *OPS_TABLES])
def test_publish_reads_and_deletes_in_marts_and_ops(warehouse: Engine, table: str) -> None:
    assert not refused(warehouse, f"select * from {table}")
    assert not refused(warehouse, f"delete from {table}")


@pytest.mark.parametrize(
    "statement",
    [
        "insert into ops.alembic_version values ('0002')",
        "update ops.alembic_version set version_num = '0002'",
        "delete from ops.alembic_version",
    ],
)
def test_publish_reads_which_migrations_have_run_and_cannot_change_it(warehouse: Engine, statement: str) -> None:
    assert not refused(warehouse, "select * from ops.alembic_version")
    assert refused(warehouse, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "drop table marts.segments",
        "truncate marts.segments",
        "alter table marts.segments add column x int",
        "create table marts.mine (x int)",
        "create table public.mine (x int)",
        "create schema mine",
        "create role mine",
    ],
)
def test_publish_owns_and_creates_nothing(warehouse: Engine, statement: str) -> None:
    assert refused(warehouse, statement)


@pytest.mark.parametrize("role", [PUBLISH_ROLE, MARKETING_ROLE])
def test_who_works_in_the_warehouse_cannot_connect_to_the_shop_or_to_airflow(server: Server, role: str) -> None:
    server.create_database("a_shop")
    engine = server.engine("a_shop", role)
    with pytest.raises(OperationalError, match="permission denied for database"):
        engine.connect()
    server.drop_database("a_shop")


def test_extract_cannot_connect_to_the_warehouse(server: Server, warehouse_database: str) -> None:
    engine = server.engine(warehouse_database, EXTRACT_ROLE)
    with pytest.raises(OperationalError, match="permission denied for database"):
        engine.connect()


def test_granting_again_changes_nothing(server: Server, warehouse_database: str, marketing: Engine) -> None:
    owner = server.engine(warehouse_database)
    grant_warehouse_roles(owner)
    grant_warehouse_roles(owner)
    owner.dispose()
    assert not refused(marketing, "select * from marts.segments")
    assert refused(marketing, "select * from ops.runs")


def test_others_may_go_on_connecting_to_a_database_that_is_not_ours_alone(
    server: Server, warehouse_database: str
) -> None:
    owner = server.engine(warehouse_database)
    with owner.begin() as connection:
        connection.execute(text("create schema accounting"))
        connection.execute(text(f"grant connect on database {warehouse_database} to public"))
    grant_warehouse_roles(owner)
    owner.dispose()
    engine = server.engine(warehouse_database, EXTRACT_ROLE)
    assert refused(engine, "select * from marts.segments")
    engine.dispose()


@pytest.mark.parametrize(
    "statement",
    ["select pg_read_file('postgresql.conf')", "copy (select 1) to program 'true'", "set role segmentation_publish"],
)
@pytest.mark.parametrize("role", [PUBLISH_ROLE, MARKETING_ROLE])
def test_no_role_leaves_the_database_or_becomes_another(
    server: Server, warehouse_database: str, role: str, statement: str
) -> None:
    if role == PUBLISH_ROLE:
        statement = statement.replace(PUBLISH_ROLE, MARKETING_ROLE)
    engine = server.engine(warehouse_database, role)
    assert refused(engine, statement)
    engine.dispose()


def test_missing_roles_are_created_and_existing_ones_left_alone(server: Server) -> None:
    owner = server.engine("postgres")
    password = 'it\'s a "word" with %s'
    assert create_roles(owner, {"late_comer": password, MARKETING_ROLE: "not taken"}) == ["late_comer"]
    assert create_roles(owner, {"late_comer": "not taken"}) == []
    url = f"postgresql://late_comer:{quote(password)}@127.0.0.1:{server.port}/late_comer"
    server.create_database("late_comer", owner="late_comer")
    assert run_query(url, "select current_user") == "current_user\nlate_comer\n"
    server.drop_database("late_comer")
    with owner.begin() as connection:
        connection.execute(text("drop role late_comer"))
    owner.dispose()


def test_rights_for_a_role_that_does_not_exist_are_refused_in_words(
    server: Server, warehouse_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = server.engine(warehouse_database)
    monkeypatch.setattr("segmentation.publish.roles.MARKETING_ROLE", "nobody_here")
    with pytest.raises(MissingRole, match="create role nobody_here login password"):
        grant_warehouse_roles(owner)
    owner.dispose()
