"""A business day is what the shop's clocks say, also on the two days a year that are not 24 hours long."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.calendar import business_day_of, day_interval, days_between, require_past
from segmentation.errors import FutureBusinessDay, InvalidSetting

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "America/Santiago", "Pacific/Apia"]


@pytest.mark.parametrize(
    ("day", "timezone", "hours"),
    [
        pytest.param(date(2026, 3, 29), "Europe/Berlin", 23, id="clocks forward"),
        pytest.param(date(2026, 10, 25), "Europe/Berlin", 25, id="clocks back"),
        pytest.param(date(2026, 6, 1), "Europe/Berlin", 24, id="usual day"),
        pytest.param(date(2026, 9, 6), "America/Santiago", 23, id="midnight does not exist"),
        pytest.param(date(2026, 4, 4), "America/Santiago", 25, id="the hour before midnight comes twice"),
    ],
)
def test_length_of_a_day(day: date, timezone: str, hours: int) -> None:
    interval = day_interval(day, timezone)
    assert interval.end - interval.start == timedelta(hours=hours)


@given(
    day=st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 1, 1)),
    timezone=st.sampled_from(ZONES),
    share=st.floats(0, 1, exclude_max=True),
)
def test_days_neither_overlap_nor_leave_gaps(day: date, timezone: str, share: float) -> None:
    interval = day_interval(day, timezone)
    assert interval.end == day_interval(day + timedelta(days=1), timezone).start
    if interval.end > interval.start:  # Apia skipped a whole day in 2011
        inside = interval.start + (interval.end - interval.start) * share
        if inside < interval.end:
            assert business_day_of(inside, timezone) == day


def test_a_day_may_run_from_its_very_end_on() -> None:
    end = day_interval(date(2026, 3, 29), "Europe/Berlin").end
    require_past(date(2026, 3, 29), end, "Europe/Berlin")
    with pytest.raises(FutureBusinessDay) as caught:
        require_past(date(2026, 3, 29), end - timedelta(microseconds=1), "Europe/Berlin")
    assert "The newest day that can run is 2026-03-28." in str(caught.value)


def test_the_same_instant_falls_on_different_days() -> None:
    instant = datetime(2026, 1, 1, 3, tzinfo=UTC)
    assert business_day_of(instant, "Europe/Berlin") == date(2026, 1, 1)
    assert business_day_of(instant, "America/New_York") == date(2025, 12, 31)


def test_no_days_between_a_day_and_the_one_before() -> None:
    assert list(days_between(date(2026, 1, 2), date(2026, 1, 1))) == []


@pytest.mark.parametrize("name", ["Berlin", "", "../etc/passwd", "Europe/berlin "])
def test_an_unknown_timezone_says_what_to_write(name: str) -> None:
    with pytest.raises(InvalidSetting, match="Use one like Europe/Berlin"):
        day_interval(date(2026, 1, 1), name)
