"""Who went from which segment to which between two nights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from segmentation.catalog import MINIMUM_SHOWN
from segmentation.errors import NotThere
from segmentation.pages.flow_chart import Flow, flow_chart
from segmentation.pages.night import Night, read_night
from segmentation.pages.reader import Row, Warehouse

#: Days between the two nights, unless others are asked for.
DEFAULT_DAYS = 7
NEW, GONE = "new to the shop's data", "left the shop's data"


def flows_view(warehouse: Warehouse, first: date | None, last: date | None) -> dict[str, Any]:
    """Read what `flows.html` shows.

    Parameters
    ----------
    first, last : published days; by default the newest one and the one a week before

    Raises
    ------
    NotThere
        If a day is not published, or the first is not before the last.
    SegmentationError
        If the warehouse cannot be read.
    """
    with warehouse.reading() as reading:
        night = read_night(reading, last)
        if night is None:
            return {"night": None}
        begin = first or night.earlier(DEFAULT_DAYS)
        if first is not None and first not in night.days:
            raise NotThere(f"There is no published night of {first}. The first one is {night.days[-1]}.")
        if first is not None and first >= night.day:
            raise NotThere(f"The first day has to be before the last one; {first} is not before {night.day}.")
        if begin == night.day:
            return {"night": night, "first": None}
        moved = reading.rows("count_flows.sql", first=begin, last=night.day)
        before = {
            row["segment_id"]: row["customers"] for row in reading.rows("read_profiles.sql", first=begin, last=begin)
        }
        after = {
            row["segment_id"]: row["customers"]
            for row in reading.rows("read_profiles.sql", first=night.day, last=night.day)
        }
    return {"night": night, "first": begin, **draw(night, all_flows(moved, before, after))}


def all_flows(
    moved: Sequence[Row], before: Mapping[int, int], after: Mapping[int, int]
) -> dict[tuple[int | None, int | None], int]:
    """Complete the ways of those who moved by those who stayed and those who left.

    Parameters
    ----------
    moved : from_segment_id (None = was not there), to_segment_id, customers; from the history
    before, after : customers of each segment on both days

    Returns
    -------
    dict
        Customers by (from, to); to None = left the shop's data. Sums over ``from`` and ``to`` are the sizes.

    Examples
    --------
    >>> all_flows([{"from_segment_id": 1, "to_segment_id": 2, "customers": 3}], {1: 10, 2: 5}, {1: 6, 2: 8})
    {(1, 2): 3, (2, 2): 5, (1, 1): 6, (1, None): 1}
    """
    flows = {(row["from_segment_id"], row["to_segment_id"]): row["customers"] for row in moved}
    arrived: dict[int | None, int] = {}
    for (_, target), customers in flows.items():
        arrived[target] = arrived.get(target, 0) + customers
    for segment in sorted(after, reverse=True):
        # who is there and was not set anew has stayed
        stayed = after[segment] - arrived.get(segment, 0)
        if stayed > 0:
            flows[segment, segment] = flows.get((segment, segment), 0) + stayed
    for segment in sorted(before):
        gone = before[segment] - sum(customers for (source, _), customers in flows.items() if source == segment)
        if gone > 0:
            flows[segment, None] = gone
    return flows


def draw(night: Night, flows: Mapping[tuple[int | None, int | None], int]) -> dict[str, Any]:
    """Return chart and table of those flows that are large enough, and how many ways are not shown."""
    large = [
        Flow(NEW if source is None else night.name(source), GONE if target is None else night.name(target), customers)
        for (source, target), customers in flows.items()
        if customers >= MINIMUM_SHOWN
    ]
    moves = sorted((flow for flow in large if flow.source != flow.target), key=lambda flow: -flow.customers)
    return {
        "chart": flow_chart(large, [*night.names, NEW, GONE]) if large else None,
        "moves": moves,
        "stayed": sorted((flow for flow in large if flow.source == flow.target), key=lambda flow: -flow.customers),
        "hidden": sum(1 for customers in flows.values() if 0 < customers < MINIMUM_SHOWN),
    }
