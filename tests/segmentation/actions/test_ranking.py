"""Which actions a segment gets, in what order and why."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from segmentation.actions.playbook import load_playbook
from segmentation.actions.ranking import Measured, newest_results, prior_uplift, rank_actions

DAY = date(2026, 3, 1)
PLAYBOOK = load_playbook()


def profile(segment: int, **changes: Any) -> dict[str, Any]:
    """Return an ordinary segment: 100 customers who spend 20 a month, of whom 40 % stay away for one."""
    return {
        "segment_id": segment,
        "customers": 100,
        "share": 0.25,
        "revenue_28d": Decimal("2000.00"),
        "orders_28d": 80,
        "revenue_365d": Decimal("26000.00"),
        "orders_365d": 500,
        "average_order_value": Decimal("50.00"),
        "recency_days_median": 20.0,
        "days_between_orders_median": 50.0,
        "discount_share": 0.1,
        "returns_share": 0.02,
        "sessions_28d": None,
        "top_categories": [],
        "expected_spend_28d": 20.0,
        "expected_churn_28d": 0.4,
    } | changes


ORDINARY = profile(1)
ASLEEP = profile(2, expected_spend_28d=5.0, expected_churn_28d=0.9, recency_days_median=120.0, orders_28d=5)
NO_ORDER = profile(
    0,
    revenue_28d=Decimal(0),
    revenue_365d=Decimal(0),
    orders_28d=0,
    orders_365d=0,
    **dict.fromkeys(
        ["average_order_value", "recency_days_median", "days_between_orders_median", "discount_share", "returns_share"]
    ),
    expected_spend_28d=None,
    expected_churn_28d=None,
)
FEW = profile(3, customers=9, expected_churn_28d=0.95, recency_days_median=200.0)
SHOP = [ORDINARY, ASLEEP, NO_ORDER, FEW]
WHOLE = profile(
    -1,
    customers=209,
    expected_spend_28d=12.5,
    expected_churn_28d=0.65,
    recency_days_median=60.0,
    orders_28d=125,
    revenue_28d=Decimal("4180.00"),
)


def ranked(
    results: dict[tuple[int, str], Measured] | None = None, shop: list[dict[str, Any]] = SHOP
) -> dict[int, list[dict[str, Any]]]:
    rows = rank_actions(DAY, shop, WHOLE, PLAYBOOK, results or {}, "€")
    return {
        segment: [row for row in rows if row["segment_id"] == segment] for segment in {r["segment_id"] for r in shop}
    }


def test_every_segment_gets_an_action_and_ranks_count_from_one() -> None:
    for segment, rows in ranked().items():
        assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1)), segment
        values = [row["expected_value"] for row in rows]
        assert values == sorted(values, reverse=True)
    assert "leave_alone" in {row["action"] for row in ranked()[1]}


def test_traits_decide_who_gets_what_and_the_rationale_says_so() -> None:
    rows = ranked()
    assert rows[2][0]["action"] == "win_back"
    assert "win_back" not in {row["action"] for row in rows[1]}
    assert [row["action"] for row in rows[0]] == ["welcome", "leave_alone"]
    told = rows[2][0]["rationale"]
    assert "expected to stay away for 28 days 90 % (shop 65 %)" in told
    assert "days since the last order 120 (shop 60)" in told
    assert told.endswith(
        "Untested; believed to bring 12 % of expected spend: €0.56 per customer in 28 days after the discount."
    )
    assert rows[2][0]["expected_value"] == Decimal("55.80")
    assert (rows[2][0]["evidence"], rows[2][0]["uplift"], rows[2][0]["uplift_low"]) == (
        "untested", Decimal("0.56"), None
    )  # fmt: skip


def test_figures_of_few_customers_are_not_read_nor_told() -> None:
    (only,) = ranked()[3]
    assert only["action"] == "leave_alone"
    assert "fewer than 10 customers" in only["rationale"]


def test_the_discount_costs_what_takers_would_have_spent_anyway() -> None:
    entries = {entry.id: entry for entry in PLAYBOOK}
    # 8 % of 100, less 5 % of what 15 % of customers spend
    assert prior_uplift(entries["second_purchase"], 100.0, 50.0) == pytest.approx(8 - 0.05 * 0.15 * 108)
    assert prior_uplift(entries["retain_vip"], 100.0, 50.0) == pytest.approx(2)
    assert prior_uplift(entries["welcome"], None, None) is None


def test_what_was_proven_counts_instead_of_the_prior_and_harm_comes_last() -> None:
    proven = Measured(7, 56, "proven", Decimal("3.00"), Decimal("1.00"), Decimal("5.00"))
    harmful = Measured(8, 14, "harmful", Decimal("-1.00"), Decimal("-2.00"), Decimal("-0.10"))
    testing = Measured(9, 3, "testing", Decimal("99.00"), Decimal("-9.00"), Decimal("200.00"))
    rows = ranked({(2, "wake_up"): proven, (2, "win_back"): harmful, (1, "leave_alone"): testing})
    assert (rows[2][0]["action"], rows[2][0]["evidence"]) == ("wake_up", "proven")
    # 3.00 in 56 days are 1.50 in 28, for 100 customers
    assert rows[2][0]["expected_value"] == Decimal("150.00")
    assert "Campaign 7, proven: €3 per customer in 56 days (between €1 and €5)." in rows[2][0]["rationale"]
    assert (rows[2][-1]["action"], rows[2][-1]["evidence"]) == ("win_back", "harmful")
    assert rows[2][-1]["expected_value"] == Decimal("-100.00")
    # no verdict yet: the figures are shown, the prior counts
    (tested,) = [row for row in rows[1] if row["action"] == "leave_alone"]
    assert (tested["evidence"], tested["uplift"], tested["expected_value"]) == (
        "testing",
        Decimal("99.00"),
        Decimal("0.00"),
    )


def test_the_newest_verdict_counts_and_without_one_the_newest_test() -> None:
    def row(campaign: int, evidence: str, action: str = "win_back") -> dict[str, Any]:
        return {
            "segment_id": 2, "action": action, "campaign_id": campaign, "evidence": evidence, "days": 5,
            "uplift": Decimal(campaign), "uplift_low": None, "uplift_high": None,
        }  # fmt: skip

    chosen = newest_results(
        [
            row(4, "testing"),
            row(2, "proven"),
            row(3, "harmful"),
            row(1, "testing", "wake_up"),
            row(5, "testing", "wake_up"),
        ]
    )
    assert (chosen[2, "win_back"].campaign_id, chosen[2, "win_back"].evidence) == (3, "harmful")
    assert chosen[2, "wake_up"].campaign_id == 5


def test_without_a_model_last_month_stands_for_the_next() -> None:
    shop = [{**row, "expected_spend_28d": None, "expected_churn_28d": None} for row in (ORDINARY, ASLEEP)]
    rows = ranked(shop=shop)
    assert all(row["expected_value"] is not None for rows_of in rows.values() for row in rows_of)
    assert "win_back" not in {row["action"] for row in rows[2]}


def test_the_same_night_gives_the_same_rows() -> None:
    assert rank_actions(DAY, SHOP, WHOLE, PLAYBOOK, {}) == rank_actions(DAY, list(reversed(SHOP)), WHOLE, PLAYBOOK, {})
