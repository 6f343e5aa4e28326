"""The registry of demo shops: each can be run as the demo runs it."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from segmentation.demo.postgres import Server
from segmentation.demo.shops import SHOPS, load_shop
from segmentation.errors import InvalidSetting
from segmentation.extract.mapping import load_mapping


@pytest.mark.parametrize("name", SHOPS)
def test_shop_is_complete(name: str) -> None:
    shop = SHOPS[name]
    assert len(shop.demo_days) == 7
    assert [day - shop.demo_days[0] for day in shop.demo_days] == [timedelta(days=offset) for offset in range(7)]
    assert shop.demo_days[-1] < date.today()
    assert ZoneInfo(shop.timezone)
    assert "orders" in load_mapping(shop.mapping).tables
    assert shop.description
    assert shop.licence


def test_simulated_shop_loads_with_progress(server: Server) -> None:
    said: list[str] = []
    report = load_shop("simulated", server, customers=60, progress=said.append, database="shop_of_sixty")
    assert report.rows["customers"] == 60
    assert report.loaded_now
    assert said == ["Loading a simulated shop with every table and event type, and planted types of customers"]
    assert report.lines()[0].startswith("loaded in")
    server.drop_database("shop_of_sixty")


def test_unknown_shop_is_refused(server: Server) -> None:
    with pytest.raises(InvalidSetting, match="choose one of complete_journey, cdnow, simulated"):
        load_shop("corner_shop", server)
