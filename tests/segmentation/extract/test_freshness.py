"""When does a night begin? With the first row after the day, at an hour, or with an alarm; never on half a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from segmentation.calendar import day_interval
from segmentation.config import Settings
from segmentation.errors import FutureBusinessDay, SourceBehind
from segmentation.extract.freshness import assess_freshness

from .conftest import DAY_AFTER, LAST_DAY, TIMEZONE, Shop


def at(hour: int) -> datetime:
    """Return ``hour`` o'clock on the morning after the shop's last day with rows."""
    return datetime.combine(DAY_AFTER, datetime.min.time(), ZoneInfo(TIMEZONE)) + timedelta(hours=hour)


def test_ready_as_soon_as_a_row_is_newer_than_the_day(shop: Shop, settings: Settings) -> None:
    found = assess_freshness(settings, LAST_DAY - timedelta(days=1), shop.url, at(-20))
    assert (found.state, found.newest) == ("ready", "2026-03-31 00:00 Europe/Berlin")


def test_rows_of_the_day_suffice_from_ready_hour_on(shop: Shop, settings: Settings) -> None:
    early = assess_freshness(settings, LAST_DAY, shop.url, at(2))
    late = assess_freshness(settings, LAST_DAY, shop.url, at(3))
    assert (early.state, late.state) == ("waiting", "ready")
    assert early.message == (
        "waiting for rows past the end of 2026-03-31, until 2026-04-01 03:00 Europe/Berlin; "
        "newest row: 2026-03-31 23:59 Europe/Berlin"
    )


def test_a_row_from_the_future_makes_no_day_look_complete(shop: Shop, settings: Settings) -> None:
    shop.execute("update shop.events set occurred_at = '2030-01-01Z' where event_id = 11")
    found = assess_freshness(settings, LAST_DAY, shop.url, at(2))
    assert (found.state, found.newest) == ("waiting", "2026-03-31 23:59 Europe/Berlin")


def test_a_busy_shop_without_rows_of_the_day_is_behind_from_give_up_hour_on(
    shop: Shop, make_settings: Callable[..., Settings]
) -> None:
    # twelve orders in 28 days are more than 0.4 a day
    settings = make_settings(timezone=TIMEZONE, checks={"empty_day_expected_rows": 0.4})
    waiting = assess_freshness(settings, DAY_AFTER, shop.url, at(24 + 5))
    with pytest.raises(SourceBehind) as caught:
        assess_freshness(settings, DAY_AFTER, shop.url, at(24 + 6))
    accepted = assess_freshness(settings, DAY_AFTER, shop.url, at(24 + 6), accept_unusual_day=True)

    assert waiting.state == "waiting"
    assert str(caught.value).startswith(
        "no source rows past the end of business day 2026-04-01 by 2026-04-02 06:00 Europe/Berlin; the newest order or "
        "event is of 2026-03-31 23:59 Europe/Berlin."
    )
    assert (accepted.state, accepted.message) == (
        "ready",
        "no rows of 2026-04-01 or later; accepted as an unusual day",
    )


def test_a_small_shop_may_have_an_empty_day(shop: Shop, settings: Settings) -> None:
    found = assess_freshness(settings, DAY_AFTER, shop.url, at(24 + 6))
    assert found.state == "ready"
    assert found.message == "no rows of 2026-04-01 or later, which is usual for a shop of 0.4 orders a day"


def test_a_shop_without_any_row_is_behind(shop: Shop, settings: Settings) -> None:
    shop.execute("truncate shop.orders, shop.events")
    with pytest.raises(SourceBehind, match="the newest order or event is of never"):
        assess_freshness(settings, LAST_DAY, shop.url, at(6))


def test_a_day_that_is_not_over(shop: Shop, settings: Settings) -> None:
    with pytest.raises(FutureBusinessDay):
        assess_freshness(settings, LAST_DAY, shop.url, day_interval(LAST_DAY, TIMEZONE).end - timedelta(seconds=1))
