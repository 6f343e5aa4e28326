"""Rows set aside come back when somebody declares them right, and only those that a later step can use."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from tests.segmentation.validate.test_validate_day import LAST_MONDAY as BEFORE
from tests.segmentation.validate.test_validate_day import D, Shop, old_shop, shop

from segmentation.errors import NothingToRelease
from segmentation.validate.release import list_quarantine, read_quarantine, release_rows

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
