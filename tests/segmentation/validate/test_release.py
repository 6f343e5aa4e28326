"""Rows set aside come back when somebody declares them right, and only those that every later step can use."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from tests.segmentation.validate.test_validate_day import LAST_MONDAY as BEFORE
from tests.segmentation.validate.test_validate_day import D, Shop, _without_limits, old_shop, shop

from segmentation.catalog import SOURCE_TABLES
from segmentation.errors import NothingToRelease
from segmentation.validate.release import list_quarantine, read_quarantine, release_rows
from segmentation.validate.suites import can_be_released, row_suite, why_unusable

__all__ = ["old_shop", "shop"]


def release(shop: Shop, *keys: str, table: str = "orders") -> int:
    return release_rows(shop.settings.lake, shop.warehouse, table, BEFORE, "a credit note", "ann", keys)


def test_released_rows_are_taken_in_by_the_next_run_with_their_items(old_shop: Shop) -> None:
    shop = old_shop
    first = shop.change("orders", 0, BEFORE, total_amount=-3.0)["order_id"]
    second = shop.change("orders", 1, BEFORE, total_amount=-4.0)["order_id"]
    shop.validate()
    listed = {(one.table_name, one.reason, one.rows, one.releasable) for one in list_quarantine(shop.settings.lake)}
    assert listed == {
        ("orders", "negative amount", 2, True),
        ("order_items", "its order was set aside", 4, False),
    }
    assert read_quarantine(shop.settings.lake, "orders", BEFORE)["order_id"].to_pylist() == [first, second]
    untouched = shop.settings.lake.day_manifest("checked", D).read_bytes()

    assert release(shop, str(first)) == 1
    result = shop.validate()
    assert result.days_checked == [str(BEFORE), str(D)]
    assert shop.set_aside("orders", BEFORE) == [(second, "negative amount")]
    checked = shop.rows("orders", BEFORE, "checked")
    assert [row["total_amount"] for row in checked if row["order_id"] == first] == [-3.0]
    assert sum(row["order_id"] == first for row in shop.rows("order_items", BEFORE, "checked")) == 2
    # once is enough, and other days are as before
    assert shop.validate().days_checked == [str(D)]
    assert shop.settings.lake.day_manifest("checked", D).read_bytes() == untouched

    assert release(shop) == 1
    shop.validate()
    assert list_quarantine(shop.settings.lake) == []
    with shop.warehouse.connect() as connection:
        kept = connection.execute(
            text("select table_name, broken, key, reason, released_by from ops.quarantine_releases order by 1, 3")
        ).all()
    assert [tuple(row) for row in kept] == [
        ("orders", "negative amount", str(first), "a credit note", "ann"),
        ("orders", "negative amount", None, "a credit note", "ann"),
    ]


def test_a_row_that_means_nothing_to_any_step_stays_set_aside(old_shop: Shop) -> None:
    shop = old_shop
    order = shop.change("orders", 0, BEFORE, customer_id=None, total_amount=-3.0)["order_id"]
    shop.validate()
    with pytest.raises(NothingToRelease, match="no step could use a row with: order without customer"):
        release(shop, str(order))
    with pytest.raises(NothingToRelease, match="no row with key 17 is set aside"):
        release(shop, "17")
    with pytest.raises(NothingToRelease, match="no row of it is set aside"):
        release(shop, table="events")


@pytest.mark.parametrize(
    ("table", "damage", "reason"),
    [
        pytest.param("events", {"event_type": "wishlist"}, "event of unknown type", id="a type of its own"),
        pytest.param("events", {"event_id": None}, "event without key", id="a clickstream without keys"),
        pytest.param("order_items", {"line_no": None}, "order item without line number", id="lines without numbers"),
        pytest.param("order_items", {"line_no": 1}, "same key again", id="lines with one number"),
        pytest.param("order_items", {"quantity": -2.0}, "negative quantity", id="a line given back"),
        pytest.param("order_items", {"line_no": None, "quantity": -2.0}, "order item without line number; negative "
                     "quantity", id="two reasons"),
    ],
)  # fmt: skip
def test_whatever_every_later_step_can_use_can_be_released(
    old_shop: Shop, table: str, damage: dict[str, Any], reason: str
) -> None:
    shop = old_shop
    # two of eighty rows are more than a day may have of these
    shop.settings = _without_limits(shop.settings)
    # the second line of an order: with the number of the first it is the same key again
    for position in (1, 3):
        shop.change(table, position, BEFORE, **damage)
    shop.validate()
    assert {found for _, found in shop.set_aside(table, BEFORE)} == {reason}
    assert [one.obstacle for one in list_quarantine(shop.settings.lake)] == [""]
    assert release(shop, table=table) == 2
    shop.validate()
    assert list_quarantine(shop.settings.lake) == []
    assert shop.table(table, BEFORE) == shop.table(table, BEFORE, "raw")


@pytest.mark.parametrize("table", SOURCE_TABLES)
def test_of_every_reason_it_is_known_whether_and_why_not_it_can_be_released(table: str) -> None:
    rows = [one for one in row_suite(table).expectations if one.meta["level"] == "row"]
    assert rows
    for one in rows:
        reason = one.meta["reason"]
        known = can_be_released(table, reason) or why_unusable(reason) != why_unusable("a new reason")
        assert known, f"say in suites whether {table} with {reason!r} can be released, or why not"


def test_a_refusal_says_why_and_what_helps_instead(old_shop: Shop) -> None:
    shop = old_shop
    order = shop.change("orders", 0, BEFORE, total_amount=-3.0)["order_id"]
    repeated = shop.rows("orders", BEFORE)[5]
    shop.add("orders", repeated, day=BEFORE)
    shop.validate()
    with pytest.raises(NothingToRelease, match="its order was set aside: release the order: its lines come with it"):
        release(shop, table="order_items")
    with pytest.raises(NothingToRelease, match="same key again: every later step knows one row of a key"):
        release(shop, str(repeated["order_id"]))
    assert release(shop, str(order)) == 1
