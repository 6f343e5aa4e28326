"""A change of revenue is split into customers, frequency and basket, and nothing of it is lost or made up."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.publish.revenue_bridge import NOTHING, Trade, decompose

FIRST, SECOND, THIRD = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)


@st.composite
def trades(draw: st.DrawFn) -> Trade:
    customers = draw(st.integers(0, 2_000_000))
    orders = draw(st.integers(0, 50_000_000)) if customers else 0
    return Trade(customers, orders, draw(st.integers(0, 10**14)) if orders else 0)


@given(trades(), trades())
def test_the_three_add_up_to_the_cent(before: Trade, after: Trade) -> None:
    assert sum(decompose(before, after)) == after.cents - before.cents


@given(trades(), trades())
def test_the_way_back_undoes_the_way_there(before: Trade, after: Trade) -> None:
    there, back = decompose(before, after), decompose(after, before)
    # each is rounded to a whole cent on its own
    assert all(abs(one + other) <= 1 for one, other in zip(there, back, strict=True))


@given(trades())
def test_nothing_changed_means_nothing_to_explain(trade: Trade) -> None:
    assert decompose(trade, trade) == (0, 0, 0)


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(0, 10**9), st.integers(1, 50))
def test_a_single_factor_explains_the_whole_change(customers: int, orders: int, cents: int, times: int) -> None:
    trade = Trade(customers, orders, cents)
    more_customers = decompose(trade, Trade(customers * times, orders * times, cents * times))
    more_orders = decompose(trade, Trade(customers, orders * times, cents * times))
    bigger_baskets = decompose(trade, Trade(customers, orders, cents * times))
    change = cents * (times - 1)
    assert (more_customers, more_orders, bigger_baskets) == ((change, 0, 0), (0, change, 0), (0, 0, change))


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        pytest.param(NOTHING, Trade(5, 10, 12_34), (12_34, 0, 0), id="a segment that is born"),
        pytest.param(Trade(5, 10, 12_34), NOTHING, (-12_34, 0, 0), id="a segment that is retired"),
        pytest.param(Trade(5, 0, 0), Trade(5, 4, 80_00), (0, 80_00, 0), id="customers begin to buy"),
        pytest.param(Trade(5, 0, 0), Trade(9, 0, 0), (0, 0, 0), id="nobody buys"),
        pytest.param(Trade(5, 4, 0), Trade(5, 4, 80_00), (0, 0, 80_00), id="everything was returned before"),
        # 2 x 1 x 10 -> 3 x 1 x 20: customers 1 x mean(10, 20), baskets 10 x mean(2, 3)
        pytest.param(Trade(2, 2, 20_00), Trade(3, 3, 60_00), (15_00, 0, 25_00), id="two factors share what they do"),
        # each of the three doubles, so each explains a third of 7.00: the cent that is left goes to the first
        pytest.param(Trade(1, 1, 1_00), Trade(2, 4, 8_00), (2_34, 2_33, 2_33), id="thirds of a cent"),
    ],
)
def test_cases_worked_out_by_hand(before: Trade, after: Trade, parts: tuple[int, int, int]) -> None:
    assert decompose(before, after) == parts


LABELS = {f"c{n}": 1 if n <= 20 else 2 for n in range(1, 41)} | {"x1": 0}
BRIDGE = (
    "select segment_id, compared_to, revenue_28d_before, revenue_28d_after, by_customers, by_frequency, by_basket "
    "from marts.segment_revenue_bridge "
)


def test_the_bridge_leads_from_the_base_nights_profile_to_tonights(nights: Any) -> None:
    nights.night(0, LABELS)
    # c1 and c2 (1.10 and 2.10 in 1 and 2 orders) go to segment 2; c31 to c40 (31.10 to 40.10) found segment 3
    nights.night(1, {**LABELS, "c1": 2, "c2": 2} | {f"c{n}": 3 for n in range(31, 41)}, base=LABELS)
    rows = nights.rows(BRIDGE + "order by segment_id")
    assert [row[:4] for row in rows] == [
        (0, FIRST, Decimal(0), Decimal(0)),
        (1, FIRST, Decimal("212.00"), Decimal("208.80")),
        (2, FIRST, Decimal("612.00"), Decimal("259.20")),
        (3, FIRST, Decimal(0), Decimal("356.00")),
    ]
    assert all(after - before == sum(parts) for _, _, before, after, *parts in rows)
    assert rows[3][4:] == (Decimal("356.00"), Decimal(0), Decimal(0))
    # 20 customers of 10.5 orders at 212/210 became 18 of 11.5 at 208.8/207: fewer, who buy more often
    by_customers, by_frequency, by_basket = rows[1][4:]
    assert by_customers < -10 < 0 < by_frequency
    assert abs(by_basket) < Decimal("0.20")
    # over all segments: the customers are the same, so the shop's revenue is
    assert sum(row[3] - row[2] for row in rows) == 0


def test_a_segment_of_few_on_either_night_is_not_told(nights: Any) -> None:
    few = {**LABELS, "c40": 3}
    nights.night(0, LABELS)
    nights.night(1, few, base=LABELS)
    assert [row[0] for row in nights.rows(BRIDGE + f"where as_of = '{SECOND}' order by 1")] == [0, 1, 2]
    nights.night(2, LABELS, base=few)
    assert [row[0] for row in nights.rows(BRIDGE + f"where as_of = '{THIRD}' order by 1")] == [0, 1, 2]


def test_the_first_night_has_nothing_to_compare_with(nights: Any) -> None:
    nights.night(0, LABELS)
    assert nights.rows(BRIDGE) == []


def test_a_night_published_late_is_bridged_on_both_sides_once_the_stale_night_is_run_again(nights: Any) -> None:
    moved = {**LABELS, "c40": 1}
    nights.night(0, LABELS)
    nights.night(2, LABELS, base=LABELS)
    assert nights.night(1, moved, base=LABELS).stale_days == ["2026-03-03"]
    spans = "select distinct as_of, compared_to from marts.segment_revenue_bridge order by 1"
    assert nights.rows(spans) == [(SECOND, FIRST), (THIRD, FIRST)]
    nights.night(2, LABELS, base=moved)
    assert nights.rows(spans) == [(SECOND, FIRST), (THIRD, SECOND)]
    # night by night the changes add up: what c40 brought to segment 1 it took away again
    assert nights.rows(
        "select segment_id, sum(by_customers + by_frequency + by_basket) from marts.segment_revenue_bridge "
        "group by segment_id order by segment_id"
    ) == [(0, 0), (1, 0), (2, 0)]


def test_a_first_night_published_last_leaves_the_right_rows(nights: Any) -> None:
    nights.night(1, LABELS)
    assert nights.rows(BRIDGE) == []
    nights.night(0, LABELS)
    assert nights.rows(BRIDGE) == []
    nights.night(1, LABELS, base=LABELS)
    assert {row[1] for row in nights.rows(BRIDGE)} == {FIRST}
