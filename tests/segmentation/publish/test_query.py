"""`segmentation sql`: a marketer's query gives CSV, and a wrong one a line that helps."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from segmentation.catalog import MARKETING_ROLE, PUBLISH_ROLE
from segmentation.demo.postgres import Server
from segmentation.errors import DatabaseUnreachable, LoginRefused, QueryRefused
from segmentation.publish.query import run_query


@pytest.fixture
def ask(server: Server, warehouse_database: str) -> Callable[[str], str]:
    return lambda sql: run_query(server.url(warehouse_database, MARKETING_ROLE), sql)


def test_an_answer_is_csv_with_a_header(ask: Callable[[str], str]) -> None:
    answer = ask("select 1 as one, 'a, \"b\"' as words, null as nothing, array['x','y'] as list -- done")
    assert answer == 'one,words,nothing,list\n1,"a, ""b""",,"{x,y}"\n'
    assert ask("select segment_id, name from marts.segments;") == "segment_id,name\n"


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        pytest.param("select nmae from marts.segments", 'column "nmae" does not exist; .*"segments.name"', id="typo"),
        pytest.param("select * from ops.runs", "permission denied for schema ops; this role may read", id="ops"),
        pytest.param("select * from marts.segmnts", 'relation "marts.segmnts" does not exist', id="no table"),
        pytest.param("drop table marts.segments", "one query that reads", id="ddl"),
        pytest.param("delete from marts.segments returning name", "one query that reads", id="write"),
        pytest.param("select 1; delete from marts.segments", "one query that reads", id="two"),
        pytest.param(" -- nothing", "one query that reads", id="empty"),
    ],
)
def test_a_wrong_query_gets_one_line(ask: Callable[[str], str], sql: str, words: str) -> None:
    with pytest.raises(QueryRefused, match=words) as caught:
        ask(sql)
    assert "\n" not in str(caught.value)


HIDDEN_WRITE = "with gone as (delete from marts.segments returning name) select * from gone"


def test_even_a_role_that_may_write_does_not(server: Server, warehouse_database: str) -> None:
    with pytest.raises(QueryRefused, match="read-only transaction"):
        run_query(server.url(warehouse_database, PUBLISH_ROLE), HIDDEN_WRITE)


def test_a_query_that_takes_too_long_is_ended(ask: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segmentation.publish.query.MARKETING_STATEMENT_TIMEOUT", "100ms")
    with pytest.raises(QueryRefused, match="it took longer than 100ms"):
        ask("select pg_sleep(20)")


def test_no_connection_is_named(server: Server, warehouse_database: str) -> None:
    with pytest.raises(DatabaseUnreachable):
        run_query("postgresql://marketing:x@127.0.0.1:1/warehouse", "select 1")
    with pytest.raises(LoginRefused):
        run_query(f"postgresql://marketing:wrong@127.0.0.1:{server.port}/{warehouse_database}", "select 1")
