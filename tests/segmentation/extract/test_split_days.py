"""The order of rows in a file must depend on the rows alone, or the same source would not give the same bytes."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from segmentation.calendar import day_interval
from segmentation.extract.inspect_source import TIME_TYPE
from segmentation.extract.split_days import sort_rows, split_days

TIMEZONE = "Europe/Berlin"
DAYS = [date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30)]


def rows(ids: list[object], seed: int) -> pa.Table:
    """Return rows of the first and third day, in an order drawn from ``seed``."""
    start = day_interval(DAYS[0], TIMEZONE).start
    third = day_interval(DAYS[2], TIMEZONE).start
    times = [start if number % 2 else third - timedelta(microseconds=0) for number in range(len(ids))]
    table = pa.table(
        {"id": pa.array(ids), "at": pa.array(times, TIME_TYPE), "value": [f"v{number}" for number in range(len(ids))]}
    )
    order = np.random.default_rng(seed).permutation(len(ids))
    # two chunks, as they come from a stream of batches
    return pa.concat_tables([table.take(order[:2]), table.take(order[2:])])


@pytest.mark.parametrize(
    "ids",
    [
        pytest.param([1, 2, 3, 4, 5, 6], id="numbers"),
        pytest.param(["a", "b", "c", "d", "e", "f"], id="words"),
        pytest.param([1, 2, 1, 2, 1, 2], id="repeated keys"),
        pytest.param([1, None, None, 4, None, None], id="missing keys"),
    ],
)
def test_any_order_of_arrival_gives_the_same_tables(ids: list[object]) -> None:
    first = split_days(rows(ids, seed=1), DAYS, "at", ["id"], TIMEZONE)

    assert [table.num_rows for table in first.values()] == [3, 0, 3]
    assert all(column.num_chunks <= 1 for table in first.values() for column in table.columns)
    for seed in range(2, 12):
        again = split_days(rows(ids, seed), DAYS, "at", ["id"], TIMEZONE)
        assert all(again[day].equals(first[day]) for day in DAYS)


def test_days_begin_and_end_where_the_calendar_says() -> None:
    forward = day_interval(DAYS[1], TIMEZONE)
    instants = [
        forward.start - timedelta(microseconds=1),
        forward.start,
        forward.end - timedelta(microseconds=1),
        forward.end,
    ]
    table = pa.table({"id": [4, 3, 2, 1], "at": pa.array(instants, TIME_TYPE)})

    cut = split_days(table, DAYS, "at", ["id"], TIMEZONE)

    assert [cut[day]["id"].to_pylist() for day in DAYS] == [[4], [2, 3], [1]]


@pytest.mark.parametrize("count", [0, 1])
def test_few_rows(count: int) -> None:
    table = rows([1, 2, 3], seed=1).slice(0, count)
    assert sum(part.num_rows for part in split_days(table, DAYS, "at", ["id"], TIMEZONE).values()) == count
    assert sort_rows(table, ["id"]).num_rows == count


def test_rows_are_ordered_by_all_their_keys() -> None:
    table = pa.table({"order_id": [2, 1, 1], "line_no": [1, 2, 1]})
    assert sort_rows(table, ["order_id", "line_no"]).to_pydict() == {"order_id": [1, 1, 2], "line_no": [1, 2, 1]}
