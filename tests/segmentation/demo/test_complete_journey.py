"""Complete Journey arrives to the cent, and at the shop's time of day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Connection, text

from segmentation.demo.complete_journey import DEMO_DAYS, load_complete_journey
from segmentation.demo.postgres import Server
from segmentation.demo.source import LoadReport


@pytest.fixture(scope="module")
def loaded(server: Server) -> Iterator[tuple[LoadReport, Connection]]:
    report = load_complete_journey(server, "complete_journey")
    engine = server.engine("complete_journey")
    with engine.connect() as connection:
        yield report, connection
    engine.dispose()
    server.drop_database("complete_journey")


def test_totals_are_the_files(loaded: tuple[LoadReport, Connection]) -> None:
    report, _ = loaded
    assert report.rows == {
        "customers": 2_469,
        "products": 92_331,
        "orders": 155_848,
        "order_items": 1_469_307,
        "events": 8_691,
    }
    assert report.totals["amount paid (sales_value)"] == "4,596,039.58"
    assert report.totals["both, loaded as discount"] == "796,193.29"
    assert report.totals["paid by manufacturers' coupons (coupon_disc)"] == "26,359.90 in 9,827 orders"


def test_times_are_new_yorks(loaded: tuple[LoadReport, Connection]) -> None:
    _, connection = loaded
    span = connection.execute(
        text(
            "select min(at)::date as first, max(at)::date as last, "
            "count(*) filter (where extract(hour from at) between 10 and 21)::float / count(*) as by_day "
            "from (select ordered_at at time zone 'America/New_York' as at from shop.orders) as local"
        )
    ).one()
    assert (span.first, span.last) == (date(2017, 1, 1), date(2017, 12, 31))
    assert span.by_day > 0.85
    assert (span.last - DEMO_DAYS[-1]).days >= 28


def test_no_line_is_negative_and_fuel_is_one_piece(loaded: tuple[LoadReport, Connection]) -> None:
    _, connection = loaded
    found = connection.execute(
        text(
            "select min(quantity) as fewest, max(quantity) as most, min(discount_amount) as off, "
            "min(quantity * unit_price - discount_amount) as paid, avg((quantity > 1)::int) as several "
            "from shop.order_items"
        )
    ).one()
    assert found.fewest == 1
    assert found.most <= 100
    assert found.off == 0
    assert found.paid == 0
    assert found.several > 0.15  # quantities are kept where they can be


def test_redemptions_come_with_their_basket(loaded: tuple[LoadReport, Connection]) -> None:
    _, connection = loaded
    together = connection.scalar(
        text(
            "select count(*) from shop.events as e where event_type = 'coupon_redeemed' and exists (select 1 "
            "from shop.orders as o where o.customer_id = e.customer_id and o.coupon_code is not null "
            "and o.ordered_at = e.occurred_at + interval '1 second')"
        )
    )
    assert together == 1_935  # of 2,102; the others have no basket with a coupon on that day
    sent = connection.execute(
        text(
            "select count(*) as contacts, count(distinct properties ->> 'campaign_id') as campaigns, "
            "bool_and((occurred_at at time zone 'America/New_York')::time = '09:00') as at_nine "
            "from shop.events where event_type = 'campaign_sent'"
        )
    ).one()
    assert tuple(sent) == (6_589, 27, True)


def test_second_load_does_nothing(server: Server, loaded: tuple[LoadReport, Connection]) -> None:
    again = load_complete_journey(server, "complete_journey")
    assert not again.loaded_now
    assert again.totals == loaded[0].totals
