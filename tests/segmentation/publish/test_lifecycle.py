"""What became of the segments, in words that can be checked against the customers."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)
LIFECYCLE = "select segment_id, event, other_segment_ids, detail, compared_to from marts.segment_lifecycle "

#: 40 customers of segment 1, 20 of 2
BEFORE = {f"c{n}": 1 if n <= 40 else 2 for n in range(1, 61)} | {"x1": 0}


def change(kind: str, segment: int, *others: int) -> dict[str, Any]:
    return {"kind": kind, "segment_id": segment, "others": list(others)}


def two_nights(nights: Any, after: dict[str, int], *changes: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Publish the labels before and after and return the lifecycle of the second night."""
    nights.night(0, BEFORE)
    described = [
        {
            "segment_id": number,
            "name": name,
            "description": "",
            "status": "active" if number in after.values() else "retired",
            "born_on": FIRST.isoformat(),
            "retired_on": None if number in after.values() else SECOND.isoformat(),
            "lineage": {},
            "distinctive": [],
        }
        for number, name in ((0, "No order yet"), (1, "Weekly buyers"), (2, "Bargain hunters"), (3, "Late shoppers"))
    ]
    nights.publish(1, nights.write(1, after, BEFORE, segments=described, lifecycle=list(changes)))
    return nights.rows(LIFECYCLE + f"where as_of = '{SECOND}' order by segment_id, event")


def test_the_first_night_only_bears(nights: Any) -> None:
    nights.publish(0, nights.write(0, BEFORE, lifecycle=[change("born", 1), change("born", 2)]))
    assert nights.rows(LIFECYCLE + "order by segment_id") == [
        (1, "born", [], "Weekly big baskets is one of the first segments, with 40 customers.", None),
        (2, "born", [], "Rare bargain hunters is one of the first segments, with 20 customers.", None),
    ]


def test_a_split(nights: Any) -> None:
    after = {c: 3 if s == 1 and int(c[1:]) <= 15 else s for c, s in BEFORE.items()}
    assert two_nights(nights, after, change("born", 3, 1), change("split", 1, 1, 3)) == [
        (
            1,
            "split",
            [1, 3],
            "Weekly buyers split: of its customers 62 % stayed and 38 % became Late shoppers.",
            FIRST,
        ),
        (
            3,
            "born",
            [1],
            "Late shoppers is new, with 15 customers: of these 100 % were in Weekly buyers before.",
            FIRST,
        ),
    ]


def test_a_merger(nights: Any) -> None:
    after = {c: 1 if s == 2 else s for c, s in BEFORE.items()}
    assert two_nights(nights, after, change("retired", 2, 1), change("merged", 1, 2)) == [
        (
            1,
            "merged",
            [2],
            "Weekly buyers took in Bargain hunters: 100 % of the customers of Bargain hunters are in it now.",
            FIRST,
        ),
        (2, "retired", [1], "Bargain hunters is no more: of its customers 100 % are in Weekly buyers now.", FIRST),
    ]


def test_where_they_went_is_counted_if_the_step_before_does_not_say(nights: Any) -> None:
    """From RFM segments to clusters nothing is matched, but the customers are known."""
    after = {c: 3 if s else 0 for c, s in BEFORE.items()}
    assert two_nights(nights, after, change("retired", 1), change("retired", 2), change("born", 3)) == [
        (1, "retired", [3], "Weekly buyers is no more: of its customers 100 % are in Late shoppers now.", FIRST),
        (2, "retired", [3], "Bargain hunters is no more: of its customers 100 % are in Late shoppers now.", FIRST),
        (
            3,
            "born",
            [1, 2],
            "Late shoppers is new, with 60 customers: of these 67 % were in Weekly buyers before and "
            "33 % were in Bargain hunters before.",
            FIRST,
        ),
    ]


def test_few_customers_are_not_counted_out(nights: Any) -> None:
    after = {c: 3 if s == 1 and int(c[1:]) <= 9 else s for c, s in BEFORE.items()}
    details = [row[3] for row in two_nights(nights, after, change("split", 1, 1, 3), change("born", 3, 1))]
    assert details == [
        "Weekly buyers split: of its customers 78 % stayed and a few became Late shoppers.",
        "Late shoppers is new, with fewer than 10 customers: of these a few were in Weekly buyers before.",
    ]


def test_a_night_without_changes_has_no_rows(nights: Any) -> None:
    assert two_nights(nights, BEFORE) == []


@pytest.mark.parametrize("times", [1, 2])
def test_publishing_again_replaces_the_days_events(nights: Any, times: int) -> None:
    after = {c: 1 if s == 2 else s for c, s in BEFORE.items()}
    two_nights(nights, after, change("merged", 1, 2))
    for _ in range(times):
        # the day run again with another result: nothing merged after all
        nights.night(1, BEFORE, base=BEFORE)
    assert nights.rows(LIFECYCLE + f"where as_of = '{SECOND}'") == []
