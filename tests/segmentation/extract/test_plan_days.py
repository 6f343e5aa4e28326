"""How the days to fetch are cut into queries: few enough to be fast, small enough for memory."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from segmentation.config import ExtractSettings, Settings
from segmentation.extract.inspect_source import inspect_source
from segmentation.extract.mapping import load_mapping
from segmentation.extract.plan_days import plan_days, survey_source
from segmentation.extract.source import open_source
from segmentation.lake import Lake

from .conftest import FIRST_DAY, LAST_DAY, TIMEZONE, Shop


def plan(shop: Shop, lake: Lake, day: date, rows_per_query: int = 1_000_000) -> list[list[date]]:
    """Plan one extraction of a shop."""
    settings = ExtractSettings(rows_per_query=rows_per_query)
    with open_source(settings, shop.url) as source:
        layout = inspect_source(source, load_mapping(), TIMEZONE)
        first_day = survey_source(source, layout, datetime.now(UTC), TIMEZONE).first_day
        return plan_days(source, layout, lake, day, first_day, settings, TIMEZONE)


def test_a_short_history_takes_one_query(shop: Shop, settings: Settings) -> None:
    (days,) = plan(shop, settings.lake, LAST_DAY)
    assert (days[0], days[-1], len(days)) == (FIRST_DAY, LAST_DAY, 6)


def test_a_long_history_takes_queries_of_about_the_same_size(shop: Shop, settings: Settings) -> None:
    # 500 events an hour for a fortnight: 12,000 a day
    shop.execute(
        "insert into shop.events select 1000 + n, 1, 's', at, 'page_view', null, 'web', null, at from (select n, "
        "timestamptz '2026-04-01Z' + n * interval '7.2 seconds' as at from generate_series(1, 168000) as n) as clicks"
    )
    groups = plan(shop, settings.lake, LAST_DAY + timedelta(days=14), rows_per_query=40_000)

    # sampled, so about: three days of 12,000 fit into 40,000, now and then two or four
    sizes = [len(group) for group in groups[1:-1]]
    assert sum(map(len, groups)) == 20
    assert all(1 <= size <= 5 for size in sizes)
    assert 4 <= len(groups) <= 10


def test_a_view_is_counted_because_it_cannot_be_sampled(shop: Shop, settings: Settings) -> None:
    shop.execute("alter table shop.events rename to all_events")
    shop.execute("create view shop.events as select * from shop.all_events")
    shop.execute("grant select on shop.events to segmentation_extract")
    assert [len(group) for group in plan(shop, settings.lake, LAST_DAY)] == [6]


def test_a_day_before_the_history_is_the_only_one(shop: Shop, settings: Settings) -> None:
    before = FIRST_DAY - timedelta(days=5)
    assert plan(shop, settings.lake, before) == [[before]]
