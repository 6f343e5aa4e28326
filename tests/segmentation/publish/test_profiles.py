"""The figures of each segment, against sums worked out by hand.

Customer c<n> spent n.10 in 28 days in n orders and 10 n + 0.10 in a year in 2 n orders, at half price throughout;
only c2 sent goods back (half of its orders). c1 to c10 buy tea and cheese (3 : 1), the others cheese and wine.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segmentation.errors import MissingInput
from segmentation.warehouse import segment_profiles

LABELS = {f"c{n}": 1 if n <= 10 else 2 for n in range(1, 21)} | {"x1": 0, "x2": 0}


def profile(nights: Any, segment: int, columns: str, day: int = 0) -> tuple[Any, ...]:
    rows = nights.rows(
        f"select {columns} from marts.segment_profiles where segment_id = {segment} and as_of = '{nights.day(day)}'"
    )
    assert len(rows) == 1
    return tuple(rows[0])


def test_money_and_orders_are_exact(nights: Any) -> None:
    nights.night(0, LABELS)
    columns = "customers, revenue_28d, orders_28d, revenue_365d, orders_365d, average_order_value"
    assert profile(nights, 1, columns) == (10, Decimal("56.00"), 55, Decimal("551.00"), 110, Decimal("5.01"))
    assert profile(nights, 2, columns) == (10, Decimal("156.00"), 155, Decimal("1551.00"), 310, Decimal("5.00"))
    assert profile(nights, 0, columns) == (2, Decimal("0.00"), 0, Decimal("0.00"), 0, None)
    assert nights.rows("select sum(customers), sum(share), sum(revenue_share_28d) from marts.segment_profiles") == [
        (22, pytest.approx(1), pytest.approx(1))
    ]


def test_habits(nights: Any) -> None:
    nights.night(0, LABELS)
    columns = "recency_days_median, days_between_orders_median, discount_share, returns_share, sessions_28d"
    # the gap of a customer with one order is unknown; two of 110 orders came back; the shop has no clickstream
    assert profile(nights, 1, columns) == (5.5, 6.0, 0.5, 2 / 110, None)
    assert profile(nights, 0, columns) == (None, None, None, None, None)
    assert profile(nights, 1, "distinctive") == (["orders often", "few discounts"],)


def test_categories_are_ranked_by_what_the_segment_buys_more_than_others(nights: Any) -> None:
    nights.night(0, LABELS)
    (tea, cheese), = (profile(nights, 1, "top_categories")[0],)  # fmt: skip
    assert (tea["category"], tea["share"], tea["buyers"]) == ("tea", 0.75, 10)
    assert tea["lift"] == round(0.75 / (0.75 * 551 / 2102), 2)
    assert (cheese["category"], cheese["share"]) == ("cheese", 0.25)
    assert [row["category"] for row in profile(nights, 2, "top_categories")[0]] == ["cheese", "wine"]
    assert profile(nights, 0, "top_categories") == ([],)


def test_a_category_with_few_buyers_is_left_out(nights: Any) -> None:
    nights.night(0, {**LABELS, "c1": 3, "c2": 3, "c3": 3, "c4": 3})
    assert profile(nights, 3, "top_categories, customers") == ([], 4)


def test_without_a_model_nothing_is_foreseen(nights: Any) -> None:
    nights.night(0, LABELS)
    assert profile(nights, 1, "expected_spend_28d, expected_churn_28d") == (None, None)


def test_what_the_model_foresees_is_averaged_over_the_customers(nights: Any) -> None:
    version = nights.write(0, LABELS)
    customers = [c for c in LABELS if c.startswith("c")]
    outlook = pa.table(
        {
            "customer_id": customers,
            "held_out": [False] * 20,
            "expected_spend": [float(c[1:]) for c in customers],
            "expected_orders": [1.0] * 20,
            "churn_probability": [0.25] * 20,
        }
    )
    nights.settings.lake.write_table(
        outlook, nights.settings.lake.path("outlook", day=nights.day(0)) / "outlook.parquet"
    )
    nights.publish(0, version)
    assert profile(nights, 1, "expected_spend_28d, expected_churn_28d") == (5.5, 0.25)
    assert profile(nights, 0, "expected_spend_28d, expected_churn_28d") == (None, None)


def foresee(nights: Any, customers: list[str], **columns: Any) -> None:
    """Write what the model expects of customers, and of the same 28 days ago with what they spent then."""
    lake, folder = nights.settings.lake, nights.settings.lake.path("outlook", day=nights.day(0))
    table = {"customer_id": customers, "held_out": [False] * len(customers), **columns}
    spent = table.pop("actual_spend", None)
    lake.write_table(pa.table(table), folder / "outlook.parquet")
    if spent is not None:
        lake.write_table(pa.table({**table, "actual_spend": spent}), folder / "matured.parquet")


def test_intervals_hold_the_chance_of_single_customers(nights: Any) -> None:
    version = nights.write(0, LABELS)
    customers = [c for c in LABELS if c.startswith("c")]
    # everybody was 30 off: half spent 30 more than expected, half 30 less
    spent = [100.0 + (30 if int(c[1:]) % 2 else -30) for c in customers]
    foresee(nights, customers, expected_spend=[100.0] * 20, churn_probability=[0.5] * 20, actual_spend=spent)
    nights.publish(0, version)
    low, high = profile(nights, 1, "expected_spend_28d_low, expected_spend_28d_high")
    assert (low, high) == pytest.approx((100 - 1.96 * 30 / 10**0.5, 100 + 1.96 * 30 / 10**0.5), abs=0.001)
    low, high = profile(nights, 1, "expected_churn_28d_low, expected_churn_28d_high")
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.5 / 10**0.5, 0.5 + 1.96 * 0.5 / 10**0.5), abs=0.0001)
    ends = ", ".join(f"expected_{what}_28d_{end}" for what in ("spend", "churn") for end in ("low", "high"))
    assert profile(nights, 0, ends) == (None, None, None, None)


def test_intervals_stay_within_what_can_be(nights: Any) -> None:
    version = nights.write(0, LABELS)
    customers = [c for c in LABELS if c.startswith("c")]
    foresee(nights, customers, expected_spend=[1.0] * 20, churn_probability=[0.95] * 20, actual_spend=[90.0] * 20)
    nights.publish(0, version)
    assert profile(nights, 1, "expected_spend_28d_low, expected_churn_28d_high") == (0.0, 1.0)


def test_before_a_future_is_known_it_is_not_known_how_far_off_spend_may_be(nights: Any) -> None:
    version = nights.write(0, LABELS)
    customers = [c for c in LABELS if c.startswith("c")]
    foresee(nights, customers, expected_spend=[1.0] * 20, churn_probability=[0.5] * 20)
    nights.publish(0, version)
    assert profile(nights, 1, "expected_spend_28d_low, expected_spend_28d_high") == (None, None)
    assert profile(nights, 1, "expected_churn_28d_low is not null") == (True,)


def test_a_segment_beside_the_shop(nights: Any) -> None:
    nights.night(0, LABELS)
    (versus,) = profile(nights, 1, "versus_shop")
    # 20 customers with an order spent 212.00 in 210 orders: 10.60 each; segment 1 has 5.60
    assert versus["revenue_28d"] == round(5.60 / 10.60, 4)
    assert versus["orders_28d"] == round(5.5 / 10.5, 4)
    assert versus["average_order_value"] == round(551 / 110 / (2102 / 420), 4)
    assert versus["recency_days_median"] == round(5.5 / 10.5, 4)
    assert versus["discount_share"] == 1.0
    assert versus["returns_share"] == round((2 / 110) / (2 / 420), 4)
    # what the shop does not know is left out, as is a segment of customers without an order
    assert not versus.keys() & {"sessions_28d", "campaign_order_share", "expected_spend_28d"}
    assert profile(nights, 0, "versus_shop") == ({},)


def test_of_fewer_than_ten_customers_only_their_number_is_told(nights: Any) -> None:
    nights.night(0, {**LABELS, "c1": 2})
    names = [column.name for column in segment_profiles.c]
    row = profile(nights, 1, ", ".join(names))
    told = {name: value for name, value in zip(names, row, strict=True) if value not in (None, [], {})}
    assert told == {"as_of": nights.day(0), "segment_id": 1, "customers": 9, "share": pytest.approx(9 / 22)}
    # nor does it follow from the shares of the others
    assert profile(nights, 2, "customers, revenue_share_28d") == (11, 1.0)
    # those without an order have no figures that could be told
    assert profile(nights, 0, "customers, revenue_28d, orders_365d") == (2, 0, 0)


def test_a_shop_without_events_has_no_channels_and_no_campaigns(nights: Any) -> None:
    nights.night(0, LABELS)
    assert profile(nights, 1, "channels, campaign_order_share") == ([], None)


def add_events(nights: Any, sent: float, after_campaign: float) -> None:
    """Give the features of a written night campaigns, and visits: twice by app, and c1 to c9 once by phone."""
    for folder in nights.settings.lake.path("features", day=nights.day(0)).glob("bucket=*"):
        static = pq.ParquetFile(folder / "static.parquet").read()
        count = static.num_rows
        for name, value in (
            ("sessions_28d", 1.0), ("campaigns_sent_365d", sent), ("coupons_redeemed_365d", 0.0),
            ("campaign_order_share", after_campaign),
        ):  # fmt: skip
            static = static.append_column(name, pa.array([value] * count, pa.float64()))
        nights.settings.lake.write_table(static, folder / "static.parquet")
        rows = [(c, "app", 2) for c in static["customer_id"].to_pylist()]
        rows += [(c, "phone", 1) for c, _, _ in rows if int(c[1:]) <= 9]
        columns = dict(zip(("customer_id", "channel", "contacts"), zip(*rows, strict=True), strict=True))
        nights.settings.lake.write_table(
            pa.table({k: list(v) for k, v in columns.items()}), folder / "channels.parquet"
        )


def test_channels_and_campaigns(nights: Any) -> None:
    version = nights.write(0, LABELS)
    add_events(nights, sent=3.0, after_campaign=0.5)
    nights.publish(0, version)
    # 29 contacts, of which 9 by phone from 9 customers, who are too few to be told of
    assert profile(nights, 1, "channels") == ([{"channel": "app", "share": round(20 / 29, 4)}],)
    assert profile(nights, 2, "channels") == ([{"channel": "app", "share": 1.0}],)
    assert profile(nights, 1, "campaign_order_share, sessions_28d") == (0.5, 10)
    assert profile(nights, 0, "channels, campaign_order_share") == ([], None)


def test_events_without_campaigns_leave_the_response_unknown(nights: Any) -> None:
    version = nights.write(0, LABELS)
    add_events(nights, sent=0.0, after_campaign=0.0)
    nights.publish(0, version)
    assert profile(nights, 1, "campaign_order_share") == (None,)


def test_transitions_count_every_customer_once(nights: Any) -> None:
    before = LABELS
    after = {**LABELS, "c1": 2, "c2": 2, "c30": 1, "x1": 1}
    del after["c20"]
    nights.night(0, before)
    nights.night(1, after, base=before)
    ways = "select from_segment_id, to_segment_id, customers, by_behaviour, compared_to from marts.segment_transitions "
    day = nights.day(0)
    assert nights.rows(ways + f"where as_of = '{nights.day(1)}' order by 1, 2") == [
        (-1, 1, 1, 0, day),
        (0, 0, 1, 0, day),
        (0, 1, 1, 1, day),
        (1, 1, 8, 0, day),
        (1, 2, 2, 2, day),
        (2, -1, 1, 0, day),
        (2, 2, 9, 0, day),
    ]
    # on the first night everybody is new
    assert nights.rows(ways + f"where as_of = '{day}' order by 1, 2") == [
        (-1, 0, 2, 0, None),
        (-1, 1, 10, 0, None),
        (-1, 2, 10, 0, None),
    ]


def test_a_day_without_features_is_named(nights: Any) -> None:
    nights.write(0, LABELS)
    nights.settings.lake.remove(nights.settings.lake.path("features", day=nights.day(0)))
    with pytest.raises(MissingInput, match="features for business day 2026-03-01 is not in the lake"):
        nights.publish(0)
