"""`segmentation bench switch`: who switches goes on with the rows of a customer of the other type, and nothing else."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from segmentation.bench.switch import switched_shop
from segmentation.demo.simulator import TIMEZONE, simulate
from segmentation.errors import InvalidSetting

DAY = date(2025, 3, 1)
MIDNIGHT = pd.Timestamp(DAY, tz=TIMEZONE)


@pytest.fixture(scope="module")
def shop():
    return simulate(400, seed=3, first_day=date(2025, 1, 1), last_day=date(2025, 3, 31))


def test_who_switches_takes_over_the_rows_of_another_customer_from_the_day_on(shop) -> None:
    changed, switched = switched_shop(shop, "planner", "frequent_direct", 0.2, DAY, seed=1)
    planners = shop.truth.loc[shop.truth["type"].astype(str) == "planner", "customer_id"]
    assert len(switched) == round(0.2 * len(planners))
    given_up = set(shop.customers["customer_id"]) - set(changed.customers["customer_id"])
    assert len(given_up) == len(switched)

    own, others = shop.orders, changed.orders[changed.orders["customer_id"].astype(str).isin(switched)]
    before, after = others["ordered_at"] < MIDNIGHT, others["ordered_at"] >= MIDNIGHT
    was_own = own["customer_id"].astype(str).isin(switched) & (own["ordered_at"] < MIDNIGHT)
    was_theirs = own["customer_id"].isin(given_up) & (own["ordered_at"] >= MIDNIGHT)
    assert set(others.loc[before, "order_id"]) == set(own.loc[was_own, "order_id"])
    assert set(others.loc[after, "order_id"]) == set(own.loc[was_theirs, "order_id"])
    assert set(changed.order_items["order_id"]) == set(changed.orders["order_id"])


def test_nobody_else_is_touched(shop) -> None:
    changed, switched = switched_shop(shop, "planner", "browser", 0.2, DAY, seed=1)
    rest = changed.customers.loc[~changed.customers["customer_id"].astype(str).isin(switched), "customer_id"]
    for table in ("orders", "events"):
        was, now = (getattr(one, table) for one in (shop, changed))
        pd.testing.assert_frame_equal(was[was["customer_id"].isin(rest)], now[now["customer_id"].isin(rest)])


def test_an_unknown_type_is_named(shop) -> None:
    with pytest.raises(InvalidSetting, match=r"planer.*planner"):
        switched_shop(shop, "planer", "browser", 0.2, DAY, seed=1)
