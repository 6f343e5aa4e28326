"""The warehouse is built by migrations, and what they build is what `segmentation.warehouse` says."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from segmentation.catalog import MARTS, OPS
from segmentation.demo.postgres import Server
from segmentation.errors import DatabaseUnreachable
from segmentation.publish.migrate import migrate
from segmentation.warehouse import metadata, views


@pytest.fixture
def empty(server: Server) -> Iterator[tuple[str, Engine]]:
    server.create_database("to_migrate")
    engine = server.engine("to_migrate")
    yield server.url("to_migrate"), engine
    engine.dispose()
    server.drop_database("to_migrate")


def test_migrations_build_exactly_the_declared_tables(empty: tuple[str, Engine]) -> None:
    url, engine = empty
    migrate(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_schemas": True, "version_table_schema": OPS, "compare_server_default": True},
        )
        assert compare_metadata(context, metadata) == []


def test_migrations_build_exactly_the_declared_views(empty: tuple[str, Engine]) -> None:
    url, engine = empty
    migrate(url)
    inspector = inspect(engine)
    assert set(inspector.get_view_names(MARTS)) == {view.name for view in views.tables.values()}
    for view in views.tables.values():
        assert inspector.get_table_comment(view.name, MARTS)["text"] == view.comment
        built = [(c["name"], str(c["type"]), c["comment"]) for c in inspector.get_columns(view.name, MARTS)]
        assert built == [(c.name, str(c.type.compile(engine.dialect)), c.comment) for c in view.columns]


def test_every_schema_table_and_column_has_a_comment(empty: tuple[str, Engine]) -> None:
    url, engine = empty
    migrate(url)
    inspector = inspect(engine)
    bare = []
    for schema in (MARTS, OPS):
        for table in set(inspector.get_table_names(schema)) - {"alembic_version"}:
            if not inspector.get_table_comment(table, schema)["text"]:
                bare.append(f"{schema}.{table}")
            bare += [f"{schema}.{table}.{c['name']}" for c in inspector.get_columns(table, schema) if not c["comment"]]
    with engine.connect() as connection:
        described = connection.scalar(
            text("select count(obj_description(oid)) from pg_namespace where nspname in ('marts', 'ops')")
        )
    assert bare == []
    assert described == 2
    assert len(inspector.get_table_names(MARTS)) >= 5


def test_down_and_up_again(empty: tuple[str, Engine]) -> None:
    url, engine = empty
    migrate(url)
    migrate(url, "base")
    assert inspect(engine).get_table_names(MARTS) == []
    migrate(url)
    assert "customer_segments" in inspect(engine).get_table_names(MARTS)


def test_two_starters_at_once_do_not_race(empty: tuple[str, Engine]) -> None:
    url, engine = empty
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(migrate, [url, url]))
    assert "customer_segments" in inspect(engine).get_table_names(MARTS)


def test_a_server_that_is_down_is_named() -> None:
    with pytest.raises(
        DatabaseUnreachable, match=r"the warehouse database at 127\.0\.0\.1:1/warehouse cannot be reached"
    ):
        migrate("postgresql://postgres:secret@127.0.0.1:1/warehouse")
