"""A published warehouse of a tiny shop whose names are hostile, and the tables that later nights fill."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert, text

from segmentation import warehouse as tables
from segmentation.catalog import MARKETING_ROLE
from segmentation.demo.postgres import Server
from segmentation.pages.reader import Warehouse

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 3)
HOSTILE = "<script>alert(1)</script> & 'tea' \"lovers\""


@pytest.fixture
def pages(server: Server, warehouse_database: str, warehouse: Engine) -> Iterator[Warehouse]:
    """Return the empty warehouse as the page reads it: marts as marketing, ops as the publisher."""
    marketing = server.engine(warehouse_database, MARKETING_ROLE)
    yield Warehouse(marketing, warehouse)
    marketing.dispose()


@dataclass(frozen=True)
class Shop:
    """Two segments that may be shown (60 and 25 customers) and one of 3; three nights, and one that is held."""

    pages: Warehouse
    engine: Engine


@pytest.fixture
def shop(pages: Warehouse) -> Shop:
    """Fill the warehouse: segment 1 has a hostile name, segment 3 is small, segment 4 is retired."""
    names = {1: HOSTILE, 2: "Weekly buyers", 3: "The few", 4: "Gone for good"}
    sizes = {1: 60, 2: 25, 3: 3}
    customers = [(f"c{n}", 1 if n <= 60 else 2 if n <= 85 else 3) for n in range(1, 89)]
    with pages.ops.begin() as connection:
        connection.execute(
            insert(tables.segments),
            [
                {
                    "segment_id": number,
                    "name": name,
                    "description": f"About {name}.",
                    "status": "retired" if number == 4 else "active",
                    "born_on": FIRST,
                    "retired_on": LAST if number == 4 else None,
                    "lineage": {"1": 0.75} if number == 2 else {},
                    "rules": ["orders at least 3 times"] if number == 1 else None,
                    "rule_fidelity": 0.9 if number == 1 else None,
                }
                for number, name in names.items()
            ],
        )
        connection.execute(
            insert(tables.tastes),
            [
                {
                    "taste_id": 1,
                    "name": "Mostly <b>tea</b>",
                    "description": "Tea.",
                    "status": "active",
                    "born_on": FIRST,
                    "retired_on": None,
                    "lineage": {},
                }
            ],
        )
        connection.execute(
            insert(tables.segment_profiles),
            [
                profile(FIRST + timedelta(days=night), number, count - (5 * (2 - night) if number == 1 else 0))
                for night in range(3)
                for number, count in sizes.items()
            ],
        )
        connection.execute(
            insert(tables.segment_transitions),
            [
                transition(LAST, 2, 1, 12),
                transition(LAST, 3, 1, 2),
                transition(LAST, 1, 1, 40),
                transition(LAST - timedelta(days=1), 1, 2, 4),
            ],
        )
        connection.execute(
            insert(tables.customer_segment_history),
            [
                {"customer_id": c, "valid_from": FIRST, "valid_to": None, "segment_id": s, "run_id": "r1"}
                for c, s in customers
            ],
        )
        connection.execute(
            insert(tables.customer_segments),
            [
                {
                    "customer_id": "=cmd" if c == "c2" else c,
                    "segment_id": s,
                    "segment_name": names[s],
                    "since": FIRST,
                    "previous_segment_id": None,
                    "confidence": 0.7,
                    "reasons": ["buys <i>often</i>"],
                    "rfm_segment": "Champions",
                    "holdout": c == "c1",
                    "as_of": LAST,
                    "model_version": "m",
                    "taste_id": 1,
                    "taste_name": "Mostly <b>tea</b>",
                    "taste_since": FIRST,
                }
                for c, s in customers
            ],
        )
        connection.execute(
            insert(tables.segment_tastes),
            [{"as_of": LAST, "segment_id": 1, "taste_id": 1, "customers": 40, "share": 1.0, "lift": 1.0}],
        )
        connection.execute(
            insert(tables.customer_map),
            [
                {
                    "as_of": LAST,
                    "segment_ids": [1] * 60 + [2] * 25,
                    "x": [float(n) for n in range(85)],
                    "y": [float(n % 7) for n in range(85)],
                    "x_axis": "more expected orders",
                    "y_axis": "more expected spend",
                    "explained": 0.8,
                    "customers": 85,
                }
            ],
        )
        connection.execute(
            insert(tables.runs),
            [run(FIRST + timedelta(days=night), "published") for night in range(3)]
            + [run(LAST + timedelta(days=1), "held", "30 % of customers <moved>")],
        )
        connection.execute(
            insert(tables.metrics),
            [
                {
                    "business_day": LAST + timedelta(days=1),
                    "step": "evaluate",
                    "metric": "gate_moved_share",
                    "scope": "",
                    "value": 0.3,
                    "threshold": 0.25,
                    "passed": False,
                    "detail": "30 % of customers changed segment",
                    "run_id": "r",
                }
            ],
        )
    return Shop(pages, pages.ops)


def profile(day: date, segment: int, customers: int) -> dict[str, object]:
    return {
        "as_of": day,
        "segment_id": segment,
        "customers": customers,
        "share": customers / 88,
        "revenue_28d": 777 if segment == 3 else 1000 * segment,
        "revenue_share_28d": 0.5,
        "orders_28d": 50,
        "revenue_365d": 12000,
        "orders_365d": 600,
        "average_order_value": 20,
        "recency_days_median": 4.0,
        "days_between_orders_median": 7.0,
        "discount_share": 0.1,
        "returns_share": 0.02,
        "sessions_28d": None,
        "top_categories": [{"category": "<img src=x>", "share": 0.4, "lift": 2.0, "buyers": 30}],
        "expected_spend_28d": 33.0,
        "expected_churn_28d": 0.2,
        "distinctive": ["much <u>tea</u>"],
    }


def transition(day: date, source: int, target: int, customers: int) -> dict[str, object]:
    return {
        "as_of": day,
        "from_segment_id": source,
        "to_segment_id": target,
        "customers": customers,
        "by_behaviour": customers,
        "by_relabelling": 0,
        "compared_to": day - timedelta(days=1),
    }


def run(day: date, status: str, message: str = "") -> dict[str, object]:
    began = datetime(day.year, day.month, day.day, 1, tzinfo=UTC) + timedelta(days=1)
    return {
        "run_id": f"run {day}",
        "business_day": day,
        "status": status,
        "started_at": began,
        "finished_at": began + timedelta(minutes=2),
        "message": message,
        "customers": 88,
    }


def fill_later_tables(engine: Engine) -> None:
    """Fill the tables of actions, campaigns, affinities, interests, lifecycle and revenue bridge."""
    statements = [
        "insert into marts.segment_actions values ('2026-03-03', 1, 1, 'keep', 'Keep <em>them</em>', 'e-mail', "
        "'Early access', 'now', 0.1, 'They spend most', 'proven', 4.5, 1.5, 7.5, 100), "
        "('2026-03-03', 1, 2, 'ask', 'Ask them', 'site', 'A survey', 'later', 0, 'Why not', 'untested', 2.25, null, "
        "null, 50)",
        "insert into marts.campaigns overriding system value values (7, 'Spring <mail>', 'keep', '{treated}', '{1}', "
        "'{1,2}', '2026-02-01', '2026-03-01', '2026-03-01', 0.3, 'random', null, '2026-01-31', 'marketing', now())",
        "insert into marts.campaign_results values "
        "('2026-03-03', 7, 1, 'treated', 'keep', 30, 50, 20, 0.5, 9, 4.5, 1.5, 7.5, null, null, 'proven', 'Works'),"
        "('2026-03-03', 7, 2, 'treated', 'keep', 30, 50, 9, 0.5, null, 123.45, 1, 200, null, null, 'testing', 'Few')",
        "insert into marts.segment_affinities values "
        "('2026-03-03', 'segment', 1, 'category', 'green tea', null, 30, .5, .25, 2, 1), "
        "('2026-03-03', 'segment', 1, 'product', 'rare cup', 'cups', 3, .05, .01, 5, 2)",
        "insert into marts.customer_next_purchases values "
        "('c5', '{green tea}', '{0.61}', '{2.0}', '{3}', '{}', '{}', '2026-03-03')",
        "insert into marts.segment_lifecycle (as_of, segment_id, event, other_segment_ids, detail, compared_to) "
        "values ('2026-03-03', 2, 'born', '{1}', 'Came out of <1>.', '2026-03-02'), "
        "('2026-03-03', 1, 'born', '{}', 'Is one of the first.', null)",
        "insert into marts.segment_revenue_bridge (as_of, segment_id, compared_to, revenue_28d_before, "
        "revenue_28d_after, by_customers, by_frequency, by_basket) "
        "values ('2026-03-03', 1, '2026-03-02', 900, 1000, 60, 30, 10)",
        "update marts.customer_segments set may_contact = false where customer_id = 'c3'",
    ]
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
