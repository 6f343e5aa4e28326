"""CDNOW arrives whole, and the extraction's mapping fits what it has."""

from __future__ import annotations

from sqlalchemy import text

from segmentation.calendar import day_interval
from segmentation.demo.cdnow import DEMO_DAYS, MAPPING, TIMEZONE, load_cdnow
from segmentation.demo.postgres import Server
from segmentation.extract.mapping import load_mapping


def test_every_purchase_is_an_order(server: Server) -> None:
    report = load_cdnow(server, "cdnow")
    assert report.rows == {"customers": 23_570, "orders": 69_659}
    assert report.totals["amount paid"] == "2,500,315.63"
    with server.engine("cdnow").connect() as connection:
        day = day_interval(DEMO_DAYS[0], TIMEZONE)
        first = connection.execute(
            text(
                "select count(*) as orders, count(distinct ordered_at) as times, min(ordered_at) as first "
                "from shop.orders where ordered_at >= :start and ordered_at < :end"
            ),
            {"start": day.start, "end": day.end},
        ).one()
        # customer 2 bought twice on 1997-01-12: two orders
        second = connection.execute(
            text("select total_amount::text from shop.orders where customer_id = 2 order by order_id")
        ).scalars()
        assert second.all() == ["12.00", "77.00"]
        assert connection.scalar(text("select to_regclass('shop.events')")) is None
        late = connection.scalar(text("select max(ordered_at)::date from shop.orders"))
    assert first.orders == first.times > 50
    assert first.first.hour == 16  # noon in New York's summer
    assert (late - DEMO_DAYS[-1]).days >= 28
    assert not load_cdnow(server, "cdnow").loaded_now
    server.drop_database("cdnow")


def test_mapping_names_the_two_tables_only() -> None:
    assert sorted(load_mapping(MAPPING).tables) == ["customers", "orders"]
