"""What the features step promises: exact figures, nothing after the day, the same bytes again, small and odd shops."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segmentation.catalog import EVENT_TYPES
from segmentation.clusters.inputs import read_no_order
from segmentation.errors import MissingInput, MissingRate, TooLittleHistory
from segmentation.features.as_of import (
    CATEGORIES_SCHEMA,
    CHANNELS_SCHEMA,
    STATIC_SCHEMA,
    TARGET_CATEGORIES_SCHEMA,
    TARGETS_SCHEMA,
    TIMELINE_SCHEMA,
)
from segmentation.features.build_features import build_features
from segmentation.features.training_sample import TrainingSample, places
from segmentation.runs import inputs_version

DAY = date(2026, 3, 31)
#: A shop of `conftest.HandmadeShop` (test folders are no packages, so the class cannot be imported).
HandmadeShop = Any
NewShop = Callable[..., HandmadeShop]
Read = Callable[..., pd.DataFrame]


def three_orders(shop: HandmadeShop) -> None:
    """Give a 3 orders, 10 days apart, the second one given back in time, and b one order."""
    shop.order("1", "a", "2026-03-01 10:00", 20.0)
    shop.order("2", "a", "2026-03-11 10:00", 30.0, discount=10.0, status="returned", updated="2026-03-20 09:00")
    shop.order("3", "a", "2026-03-21 10:00", 40.0, coupon="SPRING")
    shop.order("4", "b", "2026-03-29 19:30", 15.5)


def test_three_orders_ten_days_apart_one_given_back(shop: HandmadeShop, read: Read) -> None:
    three_orders(shop)
    shop.write(DAY)
    result = build_features(shop.settings, DAY, warm=False)
    assert (result.customers, result.customers_without_order, result.cutoffs) == (2, 0, [])
    static = read(shop, "static", DAY)
    a = static.loc["a"]
    assert a.recency_days == pytest.approx(10 + 14 / 24)
    assert a.tenure_days == pytest.approx(30 + 14 / 24)
    assert (a.frequency_28d, a.frequency_91d, a.frequency_all) == (2, 3, 3)
    assert (a.monetary_28d, a.monetary_91d, a.monetary_all) == (40.0, 60.0, 60.0)
    assert a.frequency_previous_28d == 1
    assert a.monetary_previous_28d == 20.0
    assert a.orders_trend_28d == pytest.approx(np.log(3 / 2))
    assert a.spend_trend_28d == pytest.approx(np.log(41 / 21))
    assert (a.gap_days_mean, a.gap_days_variation, a.gap_days_longest) == (10.0, 0.0, 10.0)
    assert a.overdue_ratio == pytest.approx((10 + 14 / 24) / 10)
    assert a.returns_share == pytest.approx(1 / 3)
    assert a.average_order_value == 30.0
    assert a.largest_order_value == 40.0
    assert a.order_value_variation == pytest.approx(np.std([20, 30, 40]) / 30)
    assert a.discount_share == pytest.approx(10 / 100)
    assert a.discounted_orders_share == pytest.approx(1 / 3)
    assert a.coupon_share == pytest.approx(1 / 3)
    assert a.weekend_share == pytest.approx(2 / 3)  # Sunday, Wednesday, Saturday
    assert (a.morning_share, a.evening_share) == (1.0, 0.0)
    assert a.active_weeks_91d == 3


def test_with_one_order_what_needs_two_is_undefined(shop: HandmadeShop, read: Read) -> None:
    three_orders(shop)
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    b = read(shop, "static", DAY).loc["b"]
    assert b.frequency_all == 1
    assert b.monetary_all == 15.5
    assert b[["gap_days_mean", "gap_days_variation", "overdue_ratio", "order_value_variation"]].isna().all()
    assert b.evening_share == 1.0


@pytest.mark.parametrize(
    ("status", "updated", "orders", "money"),
    [
        pytest.param("returned", "2026-03-31 23:59", 2, 10.0, id="returned in time: an order without revenue"),
        pytest.param("refunded", "2026-04-01 00:00", 2, 30.0, id="refunded after the day: not known yet"),
        pytest.param("Cancelled", "2026-03-31 23:59", 1, 10.0, id="cancelled in time: no order"),
        pytest.param("failed", "2026-04-01 00:00", 2, 30.0, id="failed after the day: not known yet"),
    ],
)
def test_a_status_counts_from_when_it_was_known(
    shop: HandmadeShop, read: Read, status: str, updated: str, orders: int, money: float
) -> None:
    shop.order("1", "a", "2026-03-01 10:00", 10.0)
    shop.order("2", "a", "2026-03-30 10:00", 20.0, status=status, updated=updated)
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    a = read(shop, "static", DAY).loc["a"]
    assert (a.frequency_all, a.monetary_all) == (orders, money)


def test_days_end_at_the_shops_midnight(new_shop: NewShop, read: Read) -> None:
    shop = new_shop(timezone="America/New_York")
    shop.order("1", "a", "2026-03-31 23:30")  # 03:30 UTC of April
    shop.order("2", "b", "2026-04-01 00:00")
    shop.order("3", "c", "2026-03-03 23:59:59")  # the day before the last 28
    shop.order("4", "d", "2026-03-04 00:00")
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    static = read(shop, "static", DAY)
    assert list(static.index) == ["a", "c", "d"]
    assert static.loc["a", "recency_days"] == pytest.approx(0.5 / 24)
    assert static["frequency_28d"].tolist() == [1, 0, 1]
    timeline = read(shop, "timeline", DAY)
    assert (list(timeline.loc["a", "day_of_week"]), list(timeline.loc["a", "hour"])) == ([1], [23])


def clickstream(shop: HandmadeShop) -> None:
    """Let a search and buy in one visit; let b buy a cart on a later visit and leave another one behind."""
    shop.product("p1", "shoes")
    shop.product("p2", "hats")
    shop.product("p3", None)
    shop.order("1", "a", "2026-03-10 12:10", 30.0, items={"p1": 20.0, "p2": 10.0})
    shop.order("2", "a", "2026-03-20 12:00", 25.0, items={"p1": 20.0, "p3": 5.0})
    shop.order("3", "b", "2026-03-12 20:10", 10.0, items={"p2": 10.0})
    shop.event("01", "a", "2026-03-09 09:00", "campaign_sent", channel="email")
    shop.event("02", "a", "2026-03-09 10:00", "campaign_open", channel="email")
    for number, (minute, kind) in enumerate(
        [("00", "page_view"), ("01", "search"), ("02", "product_view"), ("03", "add_to_cart"), ("10", "purchase")], 3
    ):
        shop.event(f"{number:02d}", "a", f"2026-03-10 12:{minute}", kind, "s1", product="p1", channel="app")
    shop.event("10", "b", "2026-03-11 20:00", "product_view", "s2", product="p2")
    shop.event("11", "b", "2026-03-11 20:01", "add_to_cart", "s2", product="p2")
    shop.event("12", "b", "2026-03-12 20:00", "checkout", "s3")
    shop.event("13", "b", "2026-03-12 20:10", "purchase", "s3")
    shop.event("14", "b", "2026-03-30 20:00", "add_to_cart", "s4", product="p1")
    shop.event("15", "b", "2026-03-30 20:02", "remove_from_cart", "s4", product="p1")
    shop.event("16", None, "2026-03-30 20:00", "page_view", "s5")
    shop.event("17", "visitor", "2026-03-30 20:00", "page_view", "s6")
    shop.customer("a", "2026-01-30 00:00")
    shop.customer("b", "2026-03-01 00:00")
    shop.customer("registered", "2026-03-31 12:00")
    shop.customer("too-late", "2026-04-01 00:00")


def test_visits_carts_and_what_comes_before_a_purchase(shop: HandmadeShop, read: Read) -> None:
    clickstream(shop)
    shop.write(DAY)
    result = build_features(shop.settings, DAY, warm=False)
    static = read(shop, "static", DAY)
    a, b = static.loc["a"], static.loc["b"]
    assert (a.sessions_28d, a.page_views_28d, a.product_views_28d, a.searches_28d, a.carts_28d) == (1, 1, 1, 1, 1)
    assert (b.sessions_28d, b.page_views_28d, b.product_views_28d, b.checkouts_28d, b.cart_removals_28d) == (
        3,
        0,
        1,
        1,
        1,
    )
    assert (a.views_per_session, b.views_per_session) == (2.0, pytest.approx(1 / 3))
    assert a.minutes_per_session == 10.0
    assert (a.sessions_per_order, b.sessions_per_order) == (0.5, 3.0)
    assert (a.search_session_share, b.evening_session_share) == (1.0, 1.0)
    assert b.cart_removal_share == 0.5
    assert (a.campaigns_sent_91d, a.campaign_open_share, a.campaign_click_share) == (1, 1.0, 0.0)
    assert np.isnan(b.campaign_open_share)
    assert (a.campaign_order_share, b.campaign_order_share) == (0.5, 0.0)  # opened the day before the first order
    assert (a.search_order_share, b.search_order_share) == (1.0, 0.0)  # a's second order was placed outside any visit
    assert (a.app_order_share, b.app_order_share) == (1.0, 0.0)
    assert (a.cart_abandonment, b.cart_abandonment) == (0.0, 1.0)
    assert (a.later_cart_share, b.later_cart_share) == (0.0, 1.0)
    assert b.days_since_last_event == pytest.approx(1 + (3 * 60 + 58) / 1440)
    assert a.account_age_days == pytest.approx(61)
    assert result.customers_without_order == 2
    no_order = pq.read_table(shop.settings.lake.path("features", day=DAY) / "no_order.parquet")
    assert no_order.column("customer_id").to_pylist() == ["registered", "visitor"]


def test_baskets_and_categories(shop: HandmadeShop, read: Read) -> None:
    clickstream(shop)
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    a = read(shop, "static", DAY).loc["a"]
    assert (a.items_per_order, a.distinct_products, a.distinct_categories) == (2.0, 3, 2)
    assert a.average_item_value == pytest.approx(55 / 4)
    assert a.top_category_share == pytest.approx(40 / 55)
    assert a.repeat_product_share == 0.25
    assert a.category_switch_share == 0.0
    shares = read(shop, "categories", DAY).loc["a"].set_index("category")
    assert shares["spend_share"].to_dict() == {"hats": pytest.approx(10 / 55), "shoes": pytest.approx(40 / 55)}
    assert shares["product_view_share"].to_dict() == {"hats": 0.0, "shoes": 1.0}


def reporting(shop: HandmadeShop, currency: str = "EUR") -> HandmadeShop:
    shop.settings = shop.settings.model_copy(update={"reporting_currency": currency})
    return shop


def test_every_amount_of_an_order_is_converted_at_the_rate_of_its_day(new_shop: NewShop, read: Read) -> None:
    shop = reporting(new_shop("America/New_York"))
    for product, category in (("p1", "shoes"), ("p2", "hats")):
        shop.product(product, category)
    shop.order("1", "a", "2026-03-17 10:00", 20.0, discount=5.0)
    shop.order("2", "a", "2026-03-19 10:00", 30.0, discount=10.0, currency="USD", items={"p1": 10.03, "p2": 19.97})
    shop.order("3", "a", "2026-03-20 23:30", 1.0, currency="USD")  # in UTC the day after
    shop.order("4", "a", "2026-03-24 10:00", 8.0, currency="GBP", status="returned", updated="2026-03-25 10:00")
    for day, rate in (("2026-03-18", 9.0), ("2026-03-19", 0.5), ("2026-03-20", 1.005), ("2026-03-21", 7.0)):
        shop.rate(day, "USD", rate)
    shop.rate("2026-03-24", "GBP", 1.25)
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    a = read(shop, "static", DAY).loc["a"]
    # 20 + 30 * 0.5 + 1.005 (half a cent up); the one given back is left out of net spending
    assert a.monetary_91d == pytest.approx(20 + 15 + 1.01, abs=1e-9)
    assert a.average_order_value == pytest.approx((20 + 15 + 1.01 + 10) / 4, abs=1e-9)
    assert a.largest_order_value == 20.0
    assert a.discount_share == pytest.approx((5 + 5) / (46.01 + 10))
    # lines of 5.02 (half a cent up) and 9.99, which make the order's 15.00 within the rounding of each
    assert a.average_item_value == pytest.approx((5.02 + 9.99) / 2, abs=1e-9)
    shares = read(shop, "categories", DAY).loc["a"].set_index("category")
    assert shares["spend_share"].to_dict() == {
        "hats": pytest.approx(9.99 / 15.01),
        "shoes": pytest.approx(5.02 / 15.01),
    }


def test_a_weekend_takes_fridays_rate_and_a_week_old_one_is_the_oldest(shop: HandmadeShop, read: Read) -> None:
    reporting(shop)
    shop.rate("2026-03-20", "USD", 2.0)  # a Friday
    shop.rate("2026-03-30", "USD", 5.0)
    shop.order("1", "sunday", "2026-03-22 10:00", 1.0, currency="USD")
    shop.order("2", "week", "2026-03-27 10:00", 1.0, currency="USD")
    shop.order("3", "monday", "2026-03-30 10:00", 1.0, currency="USD")
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    assert read(shop, "static", DAY)["monetary_91d"].to_dict() == {"sunday": 2.0, "week": 2.0, "monday": 5.0}

    shop.order("4", "later", "2026-03-28 10:00", 1.0, currency="USD")
    shop.write(DAY)
    with pytest.raises(MissingRate, match=r"USD \(1 order, 2026-03-28\)"):
        build_features(shop.settings, DAY, warm=False)


def test_cancelled_orders_and_orders_without_a_currency_need_no_rate(shop: HandmadeShop, read: Read) -> None:
    reporting(shop)
    shop.order("1", "a", "2026-03-20 10:00", 4.0, currency=None)
    shop.order("2", "a", "2026-03-21 10:00", 9.0, currency="USD", status="cancelled", updated="2026-03-22 10:00")
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    a = read(shop, "static", DAY).loc["a"]
    assert (a.frequency_91d, a.monetary_91d) == (1, 4.0)


def test_without_a_reporting_currency_amounts_are_added_as_they_are(shop: HandmadeShop, read: Read) -> None:
    shop.order("1", "a", "2026-03-20 10:00", 4.0, currency="USD")
    shop.order("2", "a", "2026-03-21 10:00", 9.0)
    shop.rate("2026-03-20", "USD", 100.0)
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    assert read(shop, "static", DAY).loc["a"].monetary_91d == 13.0


def test_the_timeline_is_merged_in_time_without_purchase_events(shop: HandmadeShop, read: Read) -> None:
    clickstream(shop)
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    a = read(shop, "timeline", DAY).loc["a"]
    assert list(a.event_type) == [
        "campaign_sent", "campaign_open", "page_view", "search", "product_view", "add_to_cart", "order", "order",
    ]  # fmt: skip
    assert a.length == 8
    assert list(a.category) == [None, None, "shoes", "shoes", "shoes", "shoes", "shoes", "shoes"]
    assert a.log_amount[-2:] == pytest.approx([np.log(31), np.log(26)])
    assert (a.log_amount[:-2] == 0).all()
    assert a.log_hours_since_previous[:3] == pytest.approx([0, np.log(2), np.log(27)])
    assert list(a.day_of_week) == [0, 0, 1, 1, 1, 1, 1, 4]
    assert list(a.hour) == [9, 10, 12, 12, 12, 12, 12, 12]
    assert a.days_before[-1] == pytest.approx(11.5)


def test_the_timeline_keeps_the_newest_and_breaks_ties_by_kind_and_number(new_shop: NewShop, read: Read) -> None:
    shop = new_shop(sequence_length=8, key=pa.int64())
    for number in (9, 10, 11):
        shop.order(number, 1, "2026-03-10 12:00", float(number))
    for number in (99, 100, 98, 101, 102, 103):
        shop.event(number, 1, "2026-03-10 12:00", "search" if number % 2 else "page_view")
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    entry = read(shop, "timeline", DAY).loc["1"]
    assert list(entry.event_type) == ["search", "page_view", "search", "page_view", "search", "order", "order", "order"]
    assert entry.log_amount[-3:] == pytest.approx(np.log([10, 11, 12]))
    assert entry.length == 8


def test_timelines_go_back_to_old_events_as_far_as_newer_ones_leave_room(new_shop: NewShop, read: Read) -> None:
    shop = new_shop(sequence_length=8)
    # old: before all that a cut-off's features look back to; "1" has 3 newer ones up to the oldest cut-off, "2" has 9
    for customer, newer in (("1", 3), ("2", 9)):
        shop.order(f"o{customer}", customer, "2024-01-10 12:00")
        for day in range(1, 11):
            shop.event(f"{customer}-old-{day}", customer, f"2024-06-{day:02d} 12:00", "search")
        for day in range(1, newer + 1):
            shop.event(f"{customer}-new-{day}", customer, f"2025-06-{day:02d} 12:00", "product_view")
    for day in (10, 11):
        shop.event(f"1-late-{day}", "1", f"2026-03-{day} 12:00", "page_view")
    # in the files of two days, of which the later one counts
    shop.event("1-old-1", "1", "2024-06-10 13:00", "add_to_cart")
    shop.event("long gone", "3", "2024-06-01 12:00", "purchase")
    shop.write(DAY)
    result = build_features(shop.settings, DAY, warm=False)
    assert result.cutoffs[-1] == "2026-01-06"
    at_cutoff, at_day = read(shop, "timeline", DAY, date(2026, 1, 6)), read(shop, "timeline", DAY)
    assert list(at_cutoff.loc["1"].event_type) == ["search"] * 4 + ["add_to_cart"] + ["product_view"] * 3
    newest = ["search"] * 2 + ["add_to_cart"] + ["product_view"] * 3 + ["page_view"] * 2
    assert list(at_day.loc["1"].event_type) == newest
    assert list(at_cutoff.loc["2"].event_type) == list(at_day.loc["2"].event_type) == ["product_view"] * 8
    assert read_no_order(shop.settings.lake, DAY) == ["3"]


def test_released_events_without_a_key_or_of_an_unknown_type_count_as_what_they_are(
    shop: HandmadeShop, read: Read
) -> None:
    shop.order("1", "a", "2026-03-10 12:00")
    for kind in ("search", "search", "page_view", "wishlist"):
        shop.event(None, "a", "2026-03-20 12:00", kind, session="visit")
    shop.event("7", "a", "2026-03-25 12:00", "wishlist")
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    static = read(shop, "static", DAY).loc["a"]
    assert (static.searches_28d, static.page_views_28d, static.sessions_28d) == (2, 1, 1)
    assert static.days_since_last_event == pytest.approx(6.5)
    entry = read(shop, "timeline", DAY).loc["a"]
    assert list(entry.event_type) == ["order", "search", "search", "wishlist", "page_view", "wishlist"]


def test_a_future_is_measured_between_cutoff_and_horizon(shop: HandmadeShop, read: Read) -> None:
    cutoff = DAY - timedelta(days=28)  # 3 March
    shop.product("p1", "shoes")
    for customer in ("a", "b"):
        shop.order(f"first-{customer}", customer, "2026-01-05 10:00", 10.0)
    shop.order("1", "a", "2026-03-03 23:59", 99.0)  # still the cut-off day: past, not future
    shop.order("2", "a", "2026-03-04 00:00", 20.0, items={"p1": 20.0})
    shop.order("3", "a", "2026-03-14 00:00", 30.0, discount=10.0, items={"p1": 30.0})
    shop.order("4", "a", "2026-03-28 00:00", 50.0, status="returned", updated="2026-03-30 00:00", items={"p1": 50.0})
    shop.order("5", "late", "2026-03-20 00:00", 50.0)  # unknown at the cut-off
    shop.event("1", "a", "2026-03-13 10:00", "campaign_click", "s1")
    shop.event("2", "a", "2026-03-13 10:01", "page_view", "s1")
    shop.event("3", "a", "2026-03-16 10:01", "product_view", "s2")
    shop.write(DAY)
    result = build_features(shop.settings, DAY, warm=False)
    assert result.cutoffs == ["2026-03-03", "2026-02-03"]
    targets = read(shop, "targets", DAY, cutoff)
    assert list(targets.index) == ["a", "b"]
    a, b = targets.loc["a"], targets.loc["b"]
    assert (a.bought, a.spend, a.orders, a.sessions) == (1, 50.0, 3, 2)
    assert (a.n_page_view, a.n_product_view, a.n_campaign_click, a.n_search) == (1, 1, 1, 0)
    assert (a.views_per_session, a.sessions_per_order) == (1.0, pytest.approx(2 / 3))
    assert (a.campaign_order_share, a.returns_share) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert a.discount_share == pytest.approx(10 / 110)
    assert a.gap_days_mean == 12.0
    assert a.gap_days_variation == pytest.approx(2 / 12)
    assert (b.bought, b.spend, b.orders, b.sessions, b.n_page_view) == (0, 0.0, 0, 0, 0)
    undefined = ["views_per_session", "sessions_per_order", "campaign_order_share", "discount_share", "gap_days_mean"]
    assert b[undefined].isna().all()
    assert b[["search_order_share", "cart_order_share", "left_cart_share"]].isna().all()
    spent = read(shop, "target_categories", DAY, cutoff)
    assert spent.to_dict("records") == [{"category": "shoes", "spend": 50.0}]
    at_cutoff = read(shop, "static", DAY, cutoff)
    assert at_cutoff.loc["a", "monetary_all"] == 109.0
    assert at_cutoff.loc["a", "recency_days"] == pytest.approx(1 / 1440)


def test_ways_to_an_order(shop, read) -> None:
    """Customer a: one purchase searched for at once, one from a cart filled before, and a cart left for good."""
    cutoff = date(2026, 3, 3)
    shop.order("0", "a", "2026-01-05 10:00")
    visits = {
        "s1": ("search", "product_view", "add_to_cart", "purchase"),
        "s2": ("add_to_cart",),
        "s3": ("checkout", "purchase"),
        "s4": ("add_to_cart", "remove_from_cart"),
    }
    number = 0
    for day, (session, kinds) in enumerate(visits.items(), start=5):
        for minute, kind in enumerate(kinds):
            number += 1
            shop.event(str(number), "a", f"2026-03-{day:02d} 10:{minute:02d}", kind, session)
    shop.order("1", "a", "2026-03-05 10:03")
    shop.order("2", "a", "2026-03-07 10:01")
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    a = read(shop, "targets", DAY, cutoff).loc["a"]
    assert (a.search_order_share, a.cart_order_share) == (0.5, 0.5)
    assert a.left_cart_share == pytest.approx(2 / 3)
    assert a.removed_share == pytest.approx(1 / 3)


def test_last_years_season_is_the_coming_28_days_a_year_ago(shop: HandmadeShop, read: Read) -> None:
    shop.order("0", "a", "2025-01-15 10:00", 5.0)
    shop.order("1", "a", "2025-04-10 10:00", 7.0)
    shop.order("2", "a", "2025-05-20 10:00", 9.0)
    shop.order("3", "b", "2026-03-30 10:00", 1.0)
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=True)
    static = read(shop, "static", DAY)
    assert static["frequency_last_year_28d"].tolist() == [1, 0]
    assert static["monetary_last_year_28d"].tolist() == [7.0, 0.0]


def test_channels_count_visits_and_events_outside_a_visit(shop: HandmadeShop, read: Read) -> None:
    """a: two visits by app, a click in an e-mail; b: nothing of its own doing; c never ordered."""
    three_orders(shop)
    for number, minute in enumerate(("00", "05", "10")):
        shop.event(f"v{number}", "a", f"2026-03-05 09:{minute}", "page_view", "s1", channel="App")
    shop.event("v3", "a", "2026-03-06 09:00", "search", "s2", channel="app")
    shop.event("m1", "a", "2026-03-07 09:00", "campaign_sent", channel="mail")
    shop.event("m2", "a", "2026-03-07 10:00", "campaign_click", channel="mail")
    shop.event("m3", "b", "2026-03-07 09:00", "campaign_sent", channel="mail")
    shop.event("v4", "c", "2026-03-06 09:00", "page_view", "s3", channel="app")
    # more than a year ago, and after the day
    shop.event("v5", "a", "2025-03-01 09:00", "page_view", "s4", channel="store")
    shop.event("v6", "a", "2026-04-01 09:00", "page_view", "s5", channel="store")
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    channels = read(shop, "channels", DAY).reset_index()
    assert channels.to_numpy().tolist() == [["a", "app", 2], ["a", "mail", 1]]


def test_a_shop_with_orders_alone_gets_files_with_the_full_schema(shop: HandmadeShop, read: Read) -> None:
    for week in range(12):
        shop.order(str(week), "a", f"{date(2026, 1, 1) + timedelta(weeks=week)} 10:00")
    shop.write(DAY)
    result = build_features(shop.settings, DAY, warm=False)
    folder = shop.settings.lake.path("windows", day=DAY, cutoff=result.cutoffs[0])
    schemas = {
        "static": STATIC_SCHEMA, "timeline": TIMELINE_SCHEMA, "categories": CATEGORIES_SCHEMA,
        "targets": TARGETS_SCHEMA, "target_categories": TARGET_CATEGORIES_SCHEMA,
    }  # fmt: skip
    for bucket in ("00", "01"):  # one of them has nobody in it
        channels = shop.settings.lake.path("features", day=DAY, bucket=bucket) / "channels.parquet"
        assert pq.ParquetFile(channels).schema_arrow.equals(CHANNELS_SCHEMA)
        assert pq.read_metadata(channels).num_rows == 0
        for name, schema in schemas.items():
            assert pq.ParquetFile(folder / f"bucket={bucket}" / f"{name}.parquet").schema_arrow.equals(schema)
    a = read(shop, "static", DAY).loc["a"]
    assert a[["sessions_28d", "campaign_order_share", "items_per_order", "account_age_days"]].isna().all()
    assert a[["frequency_91d", "gap_days_mean"]].notna().all()
    assert (
        read(shop, "targets", DAY, date.fromisoformat(result.cutoffs[0]))[["sessions", "n_search"]]
        .isna()
        .all(axis=None)
    )
    assert list(read(shop, "timeline", DAY).loc["a", "category"]) == [None] * 12


def test_targets_count_every_event_type() -> None:
    assert {f"n_{event_type}" for event_type in EVENT_TYPES} <= set(TARGETS_SCHEMA.names)


def test_a_week_of_fifty_customers_is_enough_for_features(shop: HandmadeShop, read: Read) -> None:
    for number in range(50):
        shop.order(str(number), f"c{number:02d}", f"2026-03-{25 + number % 7} 1{number % 10}:00")
    shop.write(DAY)
    result = build_features(shop.settings, DAY, warm=False)
    assert (result.customers, result.cutoffs) == (50, [])
    assert not shop.settings.lake.path("windows", day=DAY).exists()
    assert len(read(shop, "static", DAY)) == 50


@pytest.mark.parametrize(
    ("first_day", "cutoffs"),
    [
        pytest.param("2026-02-04", ["2026-03-03"], id="28 days up to and including the cut-off"),
        pytest.param("2026-02-05", [], id="one day less"),
    ],
)
def test_a_cutoff_needs_a_month_of_orders_before_it(shop: HandmadeShop, first_day: str, cutoffs: list[str]) -> None:
    shop.order("1", "a", f"{first_day} 23:59")
    shop.write(DAY)
    assert build_features(shop.settings, DAY, warm=False).cutoffs == cutoffs


def test_without_any_valid_order_there_is_nobody_to_describe(shop: HandmadeShop) -> None:
    shop.order("1", "a", "2026-03-30 10:00", status="cancelled")
    shop.write(DAY)
    with pytest.raises(TooLittleHistory, match="no valid order up to business day 2026-03-31"):
        build_features(shop.settings, DAY, warm=False)


def test_a_day_that_was_not_checked_is_refused(shop: HandmadeShop) -> None:
    three_orders(shop)
    shop.write(DAY)
    with pytest.raises(MissingInput, match=r"2026-04-01 is not in the lake\. Run the validate step"):
        build_features(shop.settings, DAY + timedelta(days=1), warm=False)


# --- bytes -----------------------------------------------------------------------------------------------------------


def busy_shop(shop: HandmadeShop, seed: int = 7) -> None:
    """Ninety customers over five months with every table; many things happen at the same minute."""
    draws = np.random.default_rng(seed)
    kinds = [kind for kind in EVENT_TYPES if kind != "purchase"]
    for product in range(30):
        shop.product(product, None if product == 0 else f"category {product % 5}")
    first = date(2025, 11, 2)
    for number in range(1500):
        day = first + timedelta(days=int(draws.integers(0, 150)))
        at = f"{day} {draws.integers(8, 23):02d}:{draws.choice(['00', '30'])}"
        status = str(draws.choice(["completed", "returned", "cancelled"], p=[0.9, 0.06, 0.04]))
        shop.order(
            number, int(draws.integers(0, 90)), at, float(draws.integers(100, 9000)) / 100,
            discount=float(draws.integers(0, 500)) / 100, status=status, updated=f"{day + timedelta(days=3)} 12:00",
            coupon=None if draws.random() < 0.8 else "X",
            items={int(p): float(draws.integers(100, 3000)) / 100 for p in draws.choice(30, 3, replace=False)},
        )  # fmt: skip
    for number in range(4000):
        day = first + timedelta(days=int(draws.integers(0, 150)))
        customer = int(draws.integers(0, 100))
        at = f"{day} {draws.integers(8, 23):02d}:{draws.choice(['00', '30'])}"
        shop.event(
            number, customer, at, str(draws.choice(kinds)), f"{customer}-{day}",
            product=int(draws.integers(0, 30)), channel=str(draws.choice(["web", "app"])),
        )  # fmt: skip


def digests(shop: HandmadeShop, day: date = DAY) -> dict[str, str]:
    root = shop.settings.lake.root
    folders = [shop.settings.lake.path("features", day=day), shop.settings.lake.path("windows", day=day)]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def test_the_same_rows_give_the_same_bytes_on_one_thread_or_two(new_shop: NewShop) -> None:
    one, two = (new_shop(key=pa.int64(), name=f"threads-{threads}", threads=threads) for threads in (1, 2))
    busy_shop(one)
    two.rows = {table: list(rows) for table, rows in one.rows.items()}
    shuffle = np.random.default_rng(3)
    for rows in two.rows.values():
        shuffle.shuffle(rows)  # the order of rows in a file says nothing
    one.write(DAY)
    two.write(DAY)
    assert len(build_features(one.settings, DAY, warm=False).cutoffs) == 3
    build_features(two.settings, DAY, warm=False)
    first = digests(one)
    assert len(first) == 2 * 5 + 2 + 3 * 2 * 5
    assert digests(two) == first
    build_features(one.settings, DAY, warm=False)
    assert digests(one) == first


def test_nothing_that_happens_after_the_day_changes_it(new_shop: NewShop) -> None:
    shop = new_shop(key=pa.int64())
    busy_shop(shop)
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    before = digests(shop)
    after = "2026-04-02 10:00"
    for order in shop.rows["orders"][::7]:
        if order["status"] == "completed":
            order.update(status="returned" if order["order_id"] % 2 else "cancelled", updated_at=shop.at(after))
    for number in range(40):
        shop.order(90_000 + number, number, after, 500.0, items={1: 500.0})
        shop.event(90_000 + number, number, after, "campaign_click", "later")
        shop.event(91_000 + number, 5000 + number, after, "page_view", "later")
    shop.write(DAY)
    assert (shop.settings.lake.path("checked", "orders", day=date(2026, 4, 2)) / "rows.parquet").exists()
    build_features(shop.settings, DAY, warm=False)
    assert digests(shop) == before


def test_a_cutoff_is_what_the_day_itself_would_have_been(new_shop: NewShop, read: Read) -> None:
    shop = new_shop(key=pa.int64())
    busy_shop(shop)
    cutoff = DAY - timedelta(days=28)
    for day in (cutoff, DAY):  # the nights of both days took a snapshot of the products
        shop.write(day)
    build_features(shop.settings, DAY, warm=True)
    window = {name: read(shop, name, DAY, cutoff) for name in ("static", "timeline")}
    build_features(shop.settings, cutoff, warm=True)
    for name, table in window.items():
        pd.testing.assert_frame_equal(table, read(shop, name, cutoff))


def test_a_large_shop_is_learnt_from_a_sample(new_shop: NewShop, read: Read) -> None:
    small, large = (new_shop(key=pa.int64(), name=f"learnt-{n}", training_customers=n) for n in (50_000, 30))
    for shop in (small, large):
        busy_shop(shop)
        shop.write(DAY)
        cutoffs = [date.fromisoformat(cutoff) for cutoff in build_features(shop.settings, DAY, warm=False).cutoffs]
    described = large.settings.lake.path("features", day=DAY) / "features.json"
    share = json.loads(described.read_text())["training_share"]
    assert share == pytest.approx(30 / 90)
    sample = TrainingSample(large.settings.encoder.held_out_share, share)
    # what is said of everybody is said of everybody
    for name in ("static", "timeline", "categories", "channels", "products"):
        pd.testing.assert_frame_equal(read(large, name, DAY), read(small, name, DAY))
    assert read_no_order(large.settings.lake, DAY) == read_no_order(small.settings.lake, DAY) != []
    for name in ("static", "timeline", "categories", "targets", "target_categories"):
        for cutoff in cutoffs:
            whole, part = read(small, name, DAY, cutoff), read(large, name, DAY, cutoff)
            learnt = [sample.holds(place) for place in places(whole.index)]
            pd.testing.assert_frame_equal(part, whole[learnt])
            assert 0 < len(part) < 0.6 * len(whole)


def test_the_number_of_buckets_changes_nothing_but_the_files(new_shop: NewShop, read: Read) -> None:
    one, five = (new_shop(key=pa.int64(), name=f"buckets-{buckets}", buckets=buckets) for buckets in (1, 5))
    for shop in (one, five):
        busy_shop(shop)
        shop.write(DAY)
        build_features(shop.settings, DAY, warm=True)
    for name in ("static", "timeline", "categories"):
        pd.testing.assert_frame_equal(read(one, name, DAY), read(five, name, DAY))
    ids = pq.ParquetFile(five.settings.lake.path("features", day=DAY, bucket="03") / "static.parquet").read()
    digits = [hashlib.md5(key.encode()).digest()[8:] for key in ids.column("customer_id").to_pylist()]  # noqa: S324
    assert {int.from_bytes(each, "little") % 5 for each in digits} == {3}


def test_only_the_days_own_windows_stay(new_shop: NewShop) -> None:
    shop = new_shop(key=pa.int64(), buckets=3)
    busy_shop(shop)
    shop.write(DAY)
    lake = shop.settings.lake
    build_features(shop.settings, DAY - timedelta(days=1), warm=False)
    build_features(shop.settings, DAY, warm=False)
    assert lake.days("windows") == [DAY]
    assert lake.days("features") == [DAY - timedelta(days=1), DAY]
    assert sorted(path.name for path in lake.path("windows", day=DAY).iterdir()) == [
        "cutoff=2026-01-06", "cutoff=2026-02-03", "cutoff=2026-03-03",
    ]  # fmt: skip
    fewer = shop.settings.model_copy(update={"features": shop.settings.features.model_copy(update={"buckets": 2})})
    result = build_features(fewer, DAY, warm=True)
    assert result.cutoffs == ["2026-03-03", "2026-02-03"]
    assert sorted(path.name for path in lake.path("windows", day=DAY).iterdir()) == [
        "cutoff=2026-02-03",
        "cutoff=2026-03-03",
    ]
    for folder in (lake.path("features", day=DAY), lake.path("windows", day=DAY, cutoff="2026-03-03")):
        assert sorted(path.name for path in folder.glob("bucket=*")) == ["bucket=00", "bucket=01"]
    described = json.loads((lake.path("features", day=DAY) / "features.json").read_text())
    assert (described["buckets"], described["cutoffs"], described["customers"]) == (2, result.cutoffs, result.customers)


def test_the_features_name_the_rows_that_they_were_made_from(shop: HandmadeShop) -> None:
    three_orders(shop)
    shop.write(DAY)
    lake = shop.settings.lake
    lake.write_json({"files_hash": "as checked"}, lake.day_manifest("checked", DAY))
    lake.write_json({"snapshot_hash": "customers and products"}, lake.run_manifest("raw", DAY))
    build_features(shop.settings, DAY, warm=False)
    described = json.loads((lake.path("features", day=DAY) / "features.json").read_text())
    assert described["inputs_version"] == inputs_version(lake, DAY) is not None


def test_a_shop_that_grows_is_described_in_twice_the_buckets(new_shop: NewShop, read: Read) -> None:
    shop = new_shop(buckets=None)
    three_orders(shop)
    shop.write(DAY)
    lake = shop.settings.lake
    described = {}
    # the manifest tells, whatever the files hold
    for rows in (12_000_000, 12_000_001):
        told = {"files_hash": "as checked", "rows_ok": {"orders": 3, "events": rows - 3}}
        lake.write_json(told, lake.day_manifest("checked", DAY))
        build_features(shop.settings, DAY, warm=False)
        buckets = json.loads((lake.path("features", day=DAY) / "features.json").read_text())["buckets"]
        assert len(list(lake.path("features", day=DAY).glob("bucket=*"))) == buckets
        described[buckets] = read(shop, "static", DAY)
    assert list(described) == [4, 8]
    pd.testing.assert_frame_equal(described[4], described[8])


def test_nothing_temporary_is_left_behind(shop: HandmadeShop) -> None:
    three_orders(shop)
    shop.write(DAY)
    scratch = shop.settings.lake.root / "tmp" / f"features-{DAY}"
    (scratch / "orders").mkdir(parents=True)
    (scratch / "orders" / "left-by-a-killed-run.parquet").write_bytes(b"half a file")
    build_features(shop.settings, DAY, warm=False)
    assert not scratch.exists()
    assert list(shop.settings.lake.root.rglob("*.tmp")) == []


def test_what_is_in_the_files_of_two_days_counts_once_as_it_was_changed_last(new_shop: NewShop, read: Read) -> None:
    shop, clean = (new_shop(name=name) for name in ("repeated", "clean"))
    for one in (shop, clean):
        one.product("p1", "shoes")
        one.product("p2", "hats")
        one.order("1", "a", "2026-03-05 10:00", 20.0, items={"p1": 20.0})
        # moved to the day before after it was loaded
        one.order("2", "a", "2026-03-19 10:00", 50.0, updated="2026-03-22 10:00", items={"p2": 50.0})
        # loaded twice: nothing tells which is right, so the latest day is
        one.order("3", "b", "2026-03-16 10:00", 7.0, updated="2026-03-16 10:00", items={"p1": 7.0})
        one.event("e", "a", "2026-03-11 09:00", "product_view", "s1", product="p1")
    shop.order("2", "a", "2026-03-20 10:00", 30.0, updated="2026-03-20 10:00", items={"p1": 10.0, "p2": 20.0})
    shop.order("3", "b", "2026-03-15 10:00", 7.0, updated="2026-03-16 10:00", items={"p1": 7.0})
    shop.event("e", "a", "2026-03-10 09:00", "product_view", "s1", product="p1")
    for one in (shop, clean):
        one.write(DAY)
        build_features(one.settings, DAY, warm=False)
    a = read(shop, "static", DAY).loc["a"]
    assert (a.frequency_all, a.monetary_all, a.distinct_products, a.product_views_28d) == (2, 70.0, 2, 1)
    for name in ("static", "timeline", "categories"):
        pd.testing.assert_frame_equal(read(shop, name, DAY), read(clean, name, DAY))


def test_a_customer_without_a_known_beginning_is_a_customer(shop: HandmadeShop) -> None:
    shop.order("1", "a", "2026-03-05 10:00")
    shop.customer("a", None)
    shop.customer("unknown since when", None)
    shop.customer("tomorrow", "2026-04-01 00:00")
    shop.write(DAY)
    assert build_features(shop.settings, DAY, warm=False).customers_without_order == 1
    no_order = pd.read_parquet(shop.settings.lake.path("features", day=DAY) / "no_order.parquet", partitioning=None)
    assert no_order["customer_id"].tolist() == ["unknown since when"]


def test_a_table_that_the_shop_no_longer_has_is_not_read_from_an_old_snapshot(shop: HandmadeShop, read: Read) -> None:
    shop.order("1", "a", "2026-03-05 10:00", items={"p1": 10.0})
    shop.customer("seen", "2026-03-01 10:00")
    shop.product("p1", "shoes")
    shop.write(DAY)
    assert build_features(shop.settings, DAY, warm=False).customers_without_order == 1
    assert len(read(shop, "categories", DAY)) == 1
    next_day = DAY + timedelta(days=1)
    lake = shop.settings.lake
    for table in ("orders", "order_items"):
        empty = pq.ParquetFile(lake.path("checked", table, day=DAY) / "rows.parquet").read().slice(0, 0)
        lake.write_table(empty, lake.path("checked", table, day=next_day) / "rows.parquet")
    assert build_features(shop.settings, next_day, warm=False).customers_without_order == 0
    assert len(read(shop, "categories", next_day)) == 0


def test_products_and_when_they_were_bought(shop: HandmadeShop, read: Read) -> None:
    shop.product("p1", "tea")
    shop.product("p2", "tea")
    # p1 in the newest 28 days twice and 30 days ago, p2 given back 60 days ago; the cancelled order never was
    shop.order("1", "a", "2026-03-30 10:00", items={"p1": 5.0})
    shop.order("2", "a", "2026-03-25 10:00", items={"p1": 5.0})
    shop.order("3", "a", "2026-03-01 10:00", items={"p1": 5.0})
    shop.order("4", "a", "2026-01-30 10:00", status="returned", updated="2026-02-02 10:00", items={"p2": 5.0})
    shop.order("5", "a", "2026-03-02 10:00", status="cancelled", updated="2026-03-02 11:00", items={"p2": 5.0})
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    bought = read(shop, "products", DAY)
    assert bought[["product_id", "category", "lines", "periods"]].to_numpy().tolist() == [
        ["p1", "tea", 3, 0b011],
        ["p2", "tea", 1, 0b100],
    ]
    assert read(shop, "categories", DAY).loc["a", "periods"] == 0b111


def test_a_shop_without_items_lists_no_products(shop: HandmadeShop, read: Read) -> None:
    three_orders(shop)
    shop.write(DAY)
    build_features(shop.settings, DAY, warm=False)
    assert len(read(shop, "products", DAY)) == 0
