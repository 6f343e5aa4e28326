"""Flows add up to the sizes of both nights, and ways of few customers are not told."""

from __future__ import annotations

from datetime import date
from typing import Any

from segmentation.pages.flows_view import GONE, NEW, all_flows, draw
from segmentation.pages.night import Night


def night(*segments: int) -> Night:
    rows: dict[int, dict[str, Any]] = {number: {"segment_id": number, "name": f"S{number}"} for number in segments}
    return Night(date(2026, 1, 2), [date(2026, 1, 2), date(2026, 1, 1)], rows, {})


def test_flows_add_up_to_both_nights() -> None:
    # 100 and 50 before; 20 moved 1 to 2, 5 came new into 2, 10 left from 1; one went 2 to 1 and back: counts as staying
    moved = [
        {"from_segment_id": 1, "to_segment_id": 2, "customers": 20},
        {"from_segment_id": None, "to_segment_id": 2, "customers": 5},
        {"from_segment_id": 2, "to_segment_id": 2, "customers": 1},
    ]
    before, after = {1: 100, 2: 50}, {1: 70, 2: 75}
    flows = all_flows(moved, before, after)
    assert flows == {(1, 2): 20, (None, 2): 5, (2, 2): 50, (1, 1): 70, (1, None): 10}
    for segment, customers in before.items():
        assert sum(c for (source, _), c in flows.items() if source == segment) == customers
    for segment, customers in after.items():
        assert sum(c for (_, target), c in flows.items() if target == segment) == customers


def test_small_ways_are_counted_but_not_shown() -> None:
    drawn = draw(night(1, 2), {(1, 1): 90, (1, 2): 9, (None, 2): 10, (2, None): 12})
    assert [(flow.source, flow.target, flow.customers) for flow in drawn["moves"]] == [
        ("S2", GONE, 12),
        (NEW, "S2", 10),
    ]
    assert drawn["hidden"] == 1
    assert "9 customers" not in str(drawn["chart"])
    bars = {(bar["side"], bar["name"]): bar["customers"] for bar in drawn["chart"]["data"][1]["values"]}
    assert bars == {
        ("left", "S1"): 90,
        ("left", "S2"): 12,
        ("left", NEW): 10,
        ("right", "S1"): 90,
        ("right", "S2"): 10,
        ("right", GONE): 12,
    }


def test_without_large_ways_there_is_no_chart() -> None:
    assert draw(night(1), {(1, 1): 3})["chart"] is None
