"""The first view: how large the segments are, what they bring in, and what to do next about each."""

from __future__ import annotations

from datetime import date
from typing import Any

from segmentation.pages import charts
from segmentation.pages.night import Night, read_night, shown
from segmentation.pages.reader import Reading, Row, Warehouse
from segmentation.runs import PUBLISHED

#: Days that the charts over time look back.
LOOK_BACK_DAYS = 90
_SUPERSEDED = "superseded"


def overview(warehouse: Warehouse, asked: date | None, currency: str) -> dict[str, Any]:
    """Read what the overview shows; reads profiles, never the customers.

    Parameters
    ----------
    warehouse : Warehouse
    asked : published day to show; None = the newest
    currency : shown beside amounts

    Returns
    -------
    dict
        For the template `overview.html`; ``night`` is None if nothing has been published.

    Raises
    ------
    NotThere
        If the day that was asked for is not published.
    SegmentationError
        If the warehouse cannot be read.
    """
    with warehouse.reading() as reading:
        night = read_night(reading, asked)
        if night is None:
            return {"night": None, "newest_run": newest_run(warehouse)}
        found = _figures(reading, night, currency)
    run = newest_run(warehouse)
    later = (
        run if run and run["business_day"] > night.days[0] and run["status"] not in (PUBLISHED, _SUPERSEDED) else None
    )
    return {"night": night, "later_run": later, **found}


def newest_run(warehouse: Warehouse) -> Row | None:
    """Return the newest run of the newest business day, or None if there was none."""
    with warehouse.reading_ops() as reading:
        runs = reading.rows("list_runs.sql")
    return runs[0] if runs else None


def _figures(reading: Reading, night: Night, currency: str) -> dict[str, Any]:
    first = night.earlier(LOOK_BACK_DAYS)
    history = [row for row in shown(reading.rows("read_profiles.sql", first=first, last=night.day)) if not row["small"]]
    visible = sorted(
        (row for row in night.profiles.values() if not row["small"]), key=lambda row: row["revenue_28d"], reverse=True
    )
    foreseen = [row for row in visible if row["expected_spend_28d"] is not None]
    unit = f", {currency}" if currency else ""
    by_day = [{"day": row["as_of"], "segment": night.name(row["segment_id"])} | row for row in history]
    return {
        "cards": visible,
        "small": [night.name(number) for number, row in night.profiles.items() if row["small"]],
        "totals": {
            "customers": sum(row["customers"] for row in visible),
            "revenue_28d": sum(row["revenue_28d"] for row in visible),
            "orders_28d": sum(row["orders_28d"] for row in visible),
            "expected": sum(row["expected_spend_28d"] * row["customers"] for row in foreseen) if foreseen else None,
        },
        "actions": first_actions(reading, night.day),
        # on a first night every segment is born: that is no news
        "lifecycle": [
            row
            for row in reading.rows("read_lifecycle.sql", first=night.earlier(7), last=night.day)
            if row["compared_to"]
        ],
        "sizes_chart": charts.over_time(
            [row | {"value": row["customers"]} for row in by_day], night.names, "customers"
        ),
        "revenue_chart": charts.over_time(
            [row | {"value": row["revenue_28d"]} for row in by_day], night.names, f"revenue of 28 days{unit}"
        ),
        "outlook_chart": charts.bubbles(
            [
                {
                    "segment": night.name(row["segment_id"]),
                    "churn": row["expected_churn_28d"],
                    "spend": row["expected_spend_28d"],
                    "customers": row["customers"],
                }
                for row in foreseen
            ],
            night.names,
            currency,
        )
        if foreseen
        else None,
        "over_time": _table(by_day, night),
    }


def first_actions(reading: Reading, day: date) -> dict[int, Row]:
    """Return the first recommended action of each segment; none for a night from before there were actions."""
    first: dict[int, Row] = {}
    for row in reading.rows("read_actions.sql", day=day):
        first.setdefault(row["segment_id"], row)
    return first


def _table(by_day: list[Row], night: Night) -> dict[str, Any]:
    """Arrange sizes and revenue over the days as a table: a row per segment, the newest days as columns."""
    days = sorted({row["day"] for row in by_day})[-14:]
    cells = {(row["segment_id"], row["day"]): row for row in by_day}
    segments = [number for number in night.segments if any((number, day) in cells for day in days)]
    return {"days": days, "segments": segments, "cells": cells}
