"""Each table of the marts comes with three questions, and marketing can ask all of them as they are printed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segmentation.catalog import MARKETING_ROLE, MARTS
from segmentation.demo.postgres import Server
from segmentation.publish import example_query
from segmentation.publish.example_query import ExampleQuery, example_queries
from segmentation.publish.query import run_query
from segmentation.publish.tables_doc import tables_doc
from segmentation.warehouse import metadata, views

TABLES = [table.name for table in (*metadata.tables.values(), *views.tables.values()) if table.schema == MARTS]


@pytest.fixture
def ask(nights: Any, server: Server, warehouse_database: str) -> Callable[[ExampleQuery], list[dict[str, str]]]:
    """Return what answers a query as `marketing`, ten nights after a first one with tastes and changes."""
    labels = {f"c{n}": 1 if n <= 25 else 2 for n in range(1, 51)} | {"x1": 0}
    later = {**labels, **{f"c{n}": 3 for n in range(1, 15)}, "c50": 1}
    tastes = {f"c{n}": 1 + n % 2 for n in range(1, 51)}
    other_tastes = {**tastes, "c1": 1, "c2": 2}
    born = [{"kind": "born", "segment_id": segment, "others": []} for segment in (1, 2)]
    nights.publish(0, nights.write(0, labels, tastes=tastes, lifecycle=born))
    described = nights.described(later) | {
        2: nights.described(labels)[2] | {"status": "retired", "retired_on": "2026-03-11"},
        3: nights.described(later)[3] | {"born_on": "2026-03-11", "lineage": {"1": 1.0}},
    }
    changes = [{"kind": "born", "segment_id": 3, "others": [1]}]
    version = nights.write(
        10, later, base=labels, tastes=other_tastes, segments=list(described.values()), lifecycle=changes
    )
    nights.publish(10, version)
    url = server.url(warehouse_database, MARKETING_ROLE)
    return lambda query: list(csv.DictReader(io.StringIO(run_query(url, query.sql))))


def test_marketing_can_ask_every_question(nights: Any, ask: Callable[[ExampleQuery], list[dict[str, str]]]) -> None:
    for table in TABLES:
        answers = [ask(query) for query in example_queries(table)]
        if nights.rows(f"select from marts.{table} limit 1"):
            assert any(answers), f"no query of marts.{table} finds anything, although it has rows"


def test_answers(ask: Callable[[ExampleQuery], list[dict[str, str]]]) -> None:
    newest, by_month, parents = (ask(query) for query in example_queries("segment_lifecycle"))
    assert [row["event"] for row in newest] == ["born", "born", "born"]
    assert by_month == [{"month": "2026-03-01", "event": "born", "events": "3"}]
    assert parents == [{"as_of": "2026-03-11", "name": "New and curious", "came_from": "Weekly big baskets"}]
    last_night, shop, _ = (ask(query) for query in example_queries("segment_revenue_bridge"))
    assert {row["name"] for row in last_night} >= {"New and curious", "Weekly big baskets"}
    assert [row["change"] for row in shop] == ["0.00"]
    _, week_ago, _ = (ask(query) for query in example_queries("customer_segment_history"))
    assert {row["name"]: row["customers"] for row in week_ago} == {
        "Weekly big baskets": "25",
        "Rare bargain hunters": "25",
        "No order yet": "1",
    }


@pytest.mark.parametrize("table", TABLES)
def test_each_table_has_three_questions_and_the_page_prints_them(table: str) -> None:
    queries = example_queries(table)
    assert len(queries) == 3, f"write three queries into publish/examples/{table}.sql"
    assert len({query.title for query in queries}) == 3
    page = tables_doc()
    for query in queries:
        assert f"marts.{table}" in query.sql
        assert f"{query.title}\n\n```sql\n{query.sql}\n```" in page


def test_no_file_is_about_a_table_that_is_not_there() -> None:
    files = Path(example_query.__file__).with_name("examples").glob("*.sql")
    assert {file.stem for file in files} == set(TABLES)


def test_a_query_without_question_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "silent.sql").write_text("-- How many?\nselect 1;\n\nselect 2;\n")
    monkeypatch.setattr(example_query, "_FOLDER", tmp_path)
    with pytest.raises(
        ValueError, match=r"silent\.sql: a query does not begin with its question as a comment: select 2"
    ):
        example_queries("silent")
