"""What the demo shows at its end can be read by marketing, and answers the question in its title."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from segmentation.catalog import MARKETING_ROLE
from segmentation.demo.postgres import Server
from segmentation.publish.query import run_query
from segmentation.publish.report import EXAMPLE_QUERIES, night_summary

LABELS = {f"c{n}": 1 if n <= 10 else 2 for n in range(1, 21)} | {"x1": 0}


@pytest.fixture
def marketing(server: Server, warehouse_database: str) -> Iterator[Engine]:
    engine = server.engine(warehouse_database, MARKETING_ROLE)
    yield engine
    engine.dispose()


def test_the_summary_lists_segments_by_revenue(nights: Any, marketing: Engine) -> None:
    nights.night(0, LABELS)
    summary = night_summary(marketing)
    assert summary.as_of == nights.day(0)
    assert [(s.segment_id, s.name, s.customers, s.revenue_28d) for s in summary.segments] == [
        (2, "Rare bargain hunters", 10, Decimal("156.00")),
        (1, "Weekly big baskets", 10, Decimal("56.00")),
        (0, "No order yet", 1, Decimal("0.00")),
    ]
    assert summary.segments[0].distinctive == "orders often; few discounts"
    assert sum(s.share for s in summary.segments) == pytest.approx(1)


def test_the_summary_lists_tastes_by_customers(nights: Any, marketing: Engine) -> None:
    nights.night(0, LABELS, tastes={"c1": 2, "c2": 2, "c3": 1})
    assert [(t.taste_id, t.name, t.customers, t.description) for t in night_summary(marketing).tastes] == [
        (2, "Mostly cheese", 2, "Taste 2 in a sentence."),
        (1, "Mostly tea", 1, "Taste 1 in a sentence."),
    ]
    assert night_summary(marketing).tastes[0].share == pytest.approx(2 / 21)


def test_an_empty_warehouse_has_an_empty_summary(marketing: Engine) -> None:
    summary = night_summary(marketing)
    assert (summary.as_of, summary.segments, summary.tastes) == (None, [], [])


@pytest.fixture
def answers(nights: Any, server: Server, warehouse_database: str) -> list[list[dict[str, str]]]:
    nights.night(0, LABELS)
    nights.night(1, {**LABELS, "c1": 2, "c2": 2}, base=LABELS)
    url = server.url(warehouse_database, MARKETING_ROLE)
    return [list(csv.DictReader(io.StringIO(run_query(url, query.sql)))) for query in EXAMPLE_QUERIES]


def test_every_example_answers_its_question(answers: list[list[dict[str, str]]], nights: Any) -> None:
    money, changed, audience = answers
    # of eight customers no revenue is told
    assert [row["name"] for row in money] == ["Rare bargain hunters", "No order yet", "Weekly big baskets"]
    assert changed == [{"moved_from": "Weekly big baskets", "moved_to": "Rare bargain hunters", "customers": "2"}]
    assert len(audience) == 5
    held_out = {row[0] for row in nights.rows("select customer_id from marts.customer_segments where holdout")}
    assert {row["segment_name"] for row in audience} == {"Rare bargain hunters"}
    assert not held_out & {row["customer_id"] for row in audience}
