"""Timelines become padded tensors: a slip here is invisible later, so every cell of a small example is checked."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from segmentation.encoder.timelines import (
    EVENT_VOCABULARY,
    NO_CATEGORY,
    NUMBERS,
    OTHER_CATEGORY,
    Timelines,
    padded_lengths,
    read_timelines,
)

ORDER, SEARCH = EVENT_VOCABULARY.index("order") + 1, EVENT_VOCABULARY.index("search") + 1


@pytest.fixture
def timelines() -> Timelines:
    """Anna: a search, then garden goods ordered on a Monday at 6. Ben: nothing. Carl: what has no name."""
    table = pa.table(
        {
            "customer_id": ["anna", "ben", "carl"],
            "event_type": pa.array([["search", "order"], [], ["teleported", "order"]], pa.list_(pa.string())),
            "category": pa.array([[None, "garden"], [], [None, "oddities"]], pa.list_(pa.string())),
            "log_amount": pa.array([[0.0, 3.0], [], [0.0, 2.0]], pa.list_(pa.float32())),
            "discount_share": pa.array([[0.0, None], [], [0.0, 0.5]], pa.list_(pa.float32())),
            "log_hours_since_previous": pa.array([[0.0, 1.0], [], [0.0, 0.0]], pa.list_(pa.float32())),
            "day_of_week": pa.array([[6, 0], [], [2, 2]], pa.list_(pa.int8())),
            "hour": pa.array([[0, 6], [], [12, 12]], pa.list_(pa.int8())),
            "days_before": pa.array([[2.0, 1.0], [], [5.0, 0.0]], pa.list_(pa.float32())),
        }
    )
    return read_timelines(table, ["books", "garden"], sequence_length=128)


def test_customers_of_unequal_length_are_padded_in_front(timelines: Timelines) -> None:
    codes, numbers = timelines.padded(np.array([0, 1, 2]), 4)
    assert codes.shape == (3, 4, 2)
    assert numbers.shape == (3, 4, len(NUMBERS))
    assert codes[:, :, 0].tolist() == [[0, 0, SEARCH, ORDER], [0, 0, 0, 0], [0, 0, 0, ORDER]]
    garden = OTHER_CATEGORY + 2
    assert codes[:, :, 1].tolist() == [[0, 0, NO_CATEGORY, garden], [0, 0, 0, 0], [0, 0, 0, OTHER_CATEGORY]]
    newest = dict(zip(NUMBERS, numbers[0, -1].tolist(), strict=True))
    assert newest == pytest.approx(
        {
            "log_amount": 3.0,
            "discount_share": 0.0,
            "log_hours_since_previous": 1.0,
            "log_days_before": np.log(2),
            "weekday_sin": 0.0,
            "weekday_cos": 1.0,
            "hour_sin": 1.0,
            "hour_cos": 0.0,
        },
        abs=1e-6,
    )
    assert not numbers[1].any()


def test_only_the_newest_events_fit(timelines: Timelines) -> None:
    assert timelines.lengths.tolist() == [2, 0, 1]
    codes, _ = timelines.padded(np.array([0]), 1)
    assert codes[0, :, 0].tolist() == [ORDER]


def test_a_long_list_is_cut_to_the_sequence_length() -> None:
    count = 50
    columns = {name: pa.array([[1.0] * count], pa.list_(pa.float32())) for name in NUMBERS[:3]}
    table = pa.table(
        {
            "event_type": pa.array([["search"] * 49 + ["order"]], pa.list_(pa.string())),
            "category": pa.array([[None] * count], pa.list_(pa.string())),
            **columns,
            "day_of_week": pa.array([[0] * count], pa.list_(pa.int8())),
            "hour": pa.array([[0] * count], pa.list_(pa.int8())),
            "days_before": pa.array([[0.0] * count], pa.list_(pa.float32())),
        }
    )
    cut = read_timelines(table, [], sequence_length=8)
    assert cut.lengths.tolist() == [8]
    assert cut.codes[-1, 0] == ORDER


def test_padded_lengths_suit_the_stride_and_hold_the_longest() -> None:
    for longest in (8, 16, 17, 100, 128, 1024):
        lengths = padded_lengths(longest)
        assert all(length % 4 == 0 for length in lengths)
        assert lengths[-1] >= longest
