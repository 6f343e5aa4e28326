"""What is a usual number of rows: a shop is not stopped for its rhythm, and is for half a load."""

from __future__ import annotations

from datetime import date, timedelta

from segmentation.validate.usual import Usual, usual_rows

MONDAY = date(2026, 3, 30)


def _usual(history: dict[date, int], day: date = MONDAY) -> Usual:
    usual = usual_rows(history, day, baseline_weeks=8, ratio_limit=5)
    assert usual is not None
    return usual


def _days(count: int, rows: int, until: date = MONDAY) -> dict[date, int]:
    return {until - timedelta(days=back): rows for back in range(1, count + 1)}


def test_days_from_the_run_day_on_are_not_looked_at() -> None:
    history = _days(70, 100) | {MONDAY: 1, MONDAY + timedelta(weeks=1): 100_000}
    assert _usual(history).expected == 100


def test_a_closed_weekday_is_usual_and_an_open_one_is_not_too_much() -> None:
    sunday = MONDAY - timedelta(days=1)
    history = {day: 0 if day.weekday() == 6 else 300 for day in _days(70, 300, sunday)}
    usual = _usual(history, sunday)
    assert (usual.expected, usual.at_least) == (0, 0)
    # a Sunday before Christmas, open like any other day
    assert usual.at_most > 300


def test_a_shop_that_begins_to_collect_events_is_not_stopped() -> None:
    assert _usual(_days(70, 0)).at_most == float("inf")


def test_a_young_shop_is_compared_with_the_days_it_has() -> None:
    usual = _usual(_days(3, 50))
    assert (usual.expected, usual.basis) == (50, "3 days before")


def test_few_rows_scatter_by_chance() -> None:
    # 4 a day: none, or 15, happens
    usual = _usual(_days(70, 4))
    assert usual.at_least == 0
    assert usual.at_most >= 15


def test_a_shop_whose_days_differ_much_gets_more_room() -> None:
    steady = _usual(_days(70, 20))
    uneven = _usual({day: 5 if number % 2 else 35 for number, day in enumerate(_days(70, 0))})
    assert uneven.at_least < steady.at_least
