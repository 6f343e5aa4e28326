"""The simulated shop: complete, consistent, repeatable, and with types that are there to be found but not by RFM."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from segmentation.calendar import day_interval
from segmentation.catalog import EVENT_TYPES
from segmentation.demo.customer_types import TYPES
from segmentation.demo.simulator import DEMO_DAYS, FIRST_DAY, LAST_DAY, TIMEZONE, Shop, simulate
from segmentation.errors import InvalidSetting

MONTH = {"first_day": date(2025, 3, 1), "last_day": date(2025, 3, 31)}


@pytest.fixture(scope="module")
def shop() -> Shop:
    return simulate(1_500)


def test_same_seed_gives_the_same_rows() -> None:
    one, again, other = simulate(80, **MONTH), simulate(80, **MONTH), simulate(80, seed=2, **MONTH)
    for name, frame in one.tables.items():
        pd.testing.assert_frame_equal(frame, again.tables[name])
    pd.testing.assert_frame_equal(one.truth, again.truth)
    assert not one.orders.equals(other.orders)


def test_four_customers_in_five_consent_whatever_their_type(shop: Shop) -> None:
    consent = shop.customers.set_index("customer_id")["marketing_consent"]
    by_type = consent.groupby(shop.truth.set_index("customer_id")["type"], observed=True).mean()
    assert consent.mean() == pytest.approx(0.8, abs=0.03)
    assert by_type.between(0.7, 0.9).all()


def test_every_table_column_and_event_type_is_filled(shop: Shop) -> None:
    for name, frame in shop.tables.items():
        assert len(frame) > 0, name
        empty = frame.columns[frame.isna().all()].tolist()
        assert empty == [], name
    assert set(shop.events["event_type"].unique()) == set(EVENT_TYPES)
    assert set(shop.orders["status"]) == {"completed", "returned", "refunded", "cancelled"}


def test_database_has_every_event_type_and_the_truth_apart(small_shop) -> None:
    with small_shop.admin.connect() as connection:
        types = connection.scalars(text("select distinct event_type from shop.events")).all()
        assert set(types) == set(EVENT_TYPES)
        campaigns = connection.scalar(text("select count(distinct properties ->> 'campaign_id') from shop.events"))
        assert campaigns >= 10
        known = connection.scalar(text("select count(*) from simulation.customer_types"))
        assert known == connection.scalar(text("select count(*) from shop.customers"))
        late = connection.scalar(
            text("select count(*) from shop.events where loaded_at > occurred_at + interval '2 hours'")
        )
        assert late > 100


def test_purchases_are_the_orders_and_items_add_up(shop: Shop) -> None:
    bought = shop.events[shop.events["event_type"] == "purchase"]
    number = bought["properties"].astype(str).str.extract(r"(\d+)")[0].astype("int64")
    joined = shop.orders.set_index("order_id").loc[number]
    assert sorted(number) == shop.orders["order_id"].tolist()
    assert (joined["ordered_at"].to_numpy() == bought["occurred_at"].to_numpy()).all()
    assert (joined["customer_id"].to_numpy() == bought["customer_id"].to_numpy("int64")).all()

    items = shop.order_items
    cents = (items["unit_price"] * 100).round().astype("int64") * items["quantity"]
    off = (items["discount_amount"] * 100).round().astype("int64")
    paid = (cents - off).groupby(items["order_id"]).sum()
    orders = shop.orders.set_index("order_id")
    assert (paid == (orders["total_amount"] * 100).round().astype("int64")).all()
    assert (off.groupby(items["order_id"]).sum() == (orders["discount_amount"] * 100).round().astype("int64")).all()
    assert (paid > 0).all()


def test_carts_lead_to_orders(shop: Shop) -> None:
    """What is bought was put into the cart before, unless it was taken out again."""
    counts = shop.events["event_type"].value_counts()
    assert counts["add_to_cart"] - counts["remove_from_cart"] == len(shop.order_items)
    assert counts["checkout"] == counts["purchase"] == len(shop.orders)
    redeemed = shop.orders["coupon_code"].notna().sum()
    assert 0 < counts["coupon_redeemed"] == redeemed < counts["campaign_click"] < counts["campaign_sent"]


def test_times_are_in_order(shop: Shop) -> None:
    start, end = day_interval(FIRST_DAY, TIMEZONE).start, day_interval(LAST_DAY, TIMEZONE).end
    orders, events = shop.orders, shop.events
    for times in (orders["ordered_at"], orders["updated_at"], events["occurred_at"], events["loaded_at"]):
        assert start <= times.min()
        assert times.max() < end
    assert (events["loaded_at"] >= events["occurred_at"]).all()
    assert events["event_id"].is_monotonic_increasing
    assert events["occurred_at"].is_monotonic_increasing
    given_back = orders["status"].isin(["returned", "refunded"])
    assert (orders["updated_at"] - orders["ordered_at"])[given_back].min() >= pd.Timedelta(days=3)
    assert not given_back[orders["ordered_at"] > end - pd.Timedelta(days=3)].any()

    first = pd.concat(
        [
            events[["customer_id", "occurred_at"]].dropna().set_axis(["customer_id", "at"], axis=1),
            orders[["customer_id", "ordered_at"]].set_axis(["customer_id", "at"], axis=1),
        ]
    )
    first = first.groupby("customer_id")["at"].min()
    created = shop.customers.set_index("customer_id")["created_at"].loc[first.index]
    assert (created.to_numpy() <= first.to_numpy()).all()


def test_visits_of_strangers_have_a_session_but_no_customer(shop: Shop) -> None:
    unknown = shop.events[shop.events["customer_id"].isna()]
    assert 0.03 < len(unknown) / len(shop.events) < 0.3
    assert unknown["session_id"].notna().all()
    assert "purchase" not in set(unknown["event_type"])


def test_figures_are_near_the_public_ones(shop: Shop) -> None:
    spent = shop.orders["total_amount"]
    assert 20 < spent.mean() < 38  # Complete Journey: 29.49
    assert spent.median() < 0.8 * spent.mean()
    counts = shop.events["event_type"].value_counts()
    assert 0.15 < counts["campaign_open"] / counts["campaign_sent"] < 0.45
    per_customer = shop.orders.groupby("customer_id").size()
    assert per_customer.std() > 0.8 * per_customer.mean()  # a gamma law, as in CDNOW
    joined = (shop.customers["created_at"] >= day_interval(FIRST_DAY, TIMEZONE).start).mean()
    assert 0.3 < joined < 0.5


def test_demo_days_leave_a_scored_future() -> None:
    assert len(DEMO_DAYS) == 7
    assert (LAST_DAY - DEMO_DAYS[-1]).days >= 28
    assert (DEMO_DAYS[0] - FIRST_DAY).days >= 7 * 28


@pytest.mark.parametrize(("types", "names"), [(1, 1), (3, 3), (5, 5), (8, 8)])
def test_as_many_types_as_asked_for(types: int, names: int) -> None:
    truth = simulate(400, types=types, **MONTH).truth["type"]
    assert truth.nunique() == names
    assert set(truth) == {kind.name for kind in TYPES[:types]}


@pytest.mark.parametrize(
    ("customers", "first", "last"),
    [(50, date(2025, 3, 1), date(2025, 3, 7)), (1, date(2025, 3, 30), date(2025, 3, 30))],
    ids=["fifty customers, one week", "one customer, the day the clocks change"],
)
def test_tiny_shops_work(customers: int, first: date, last: date) -> None:
    tiny = simulate(customers, first_day=first, last_day=last)
    assert len(tiny.customers) == customers
    if len(tiny.events):
        assert tiny.events["occurred_at"].max() < day_interval(last, TIMEZONE).end


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"customers": 0}, "setting customers is 0: choose at least 1"),
        ({"customers": 9, "types": 2}, "setting types is 2: choose one of 1, 3, 5, 8"),
        ({"customers": 9, "last_day": date(2020, 1, 1)}, "must not be before first_day, 2025-01-01"),
    ],
    ids=["no customer", "two types", "period upside down"],
)
def test_impossible_shops_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        simulate(**arguments)


def _rfm(shop: Shop) -> pd.DataFrame:
    end = shop.orders["ordered_at"].max()
    found = shop.orders.groupby("customer_id").agg(
        newest=("ordered_at", "max"), orders=("order_id", "size"), spent=("total_amount", "sum")
    )
    found["newest"] = (end - found["newest"]).dt.total_seconds() / 86_400
    return np.log1p(found)


def _behaviour(shop: Shop, customers: pd.Index, order: bool) -> np.ndarray:
    """Count a customer's events per order; with ``order`` also what follows on what (a session's begin is an event)."""
    events = shop.events[shop.events["customer_id"].isin(customers)].sort_values(["customer_id", "event_id"])
    row = customers.get_indexer(events["customer_id"].to_numpy("int64"))
    kind = events["event_type"].cat.codes.to_numpy("int64")
    session = events["session_id"].cat.codes.to_numpy("int64")
    types = len(EVENT_TYPES)
    orders = shop.orders.groupby("customer_id").size().loc[customers].to_numpy()[:, None]
    counts = np.zeros((len(customers), types))
    np.add.at(counts, (row, kind), 1)
    columns = [counts / orders, np.log1p(orders)]
    if order:
        same = row[1:] == row[:-1]
        begins = (session[1:] != session[:-1])[same]
        before, after = kind[:-1][same], kind[1:][same]
        follows = np.zeros((len(customers), (types + 1) ** 2))
        np.add.at(follows, (row[1:][same], before * (types + 1) + np.where(begins, types, after)), 1)
        np.add.at(follows, (row[1:][same][begins], types * (types + 1) + after[begins]), 1)
        columns.append(follows / orders)
    return np.log1p(np.hstack(columns))


def _found_again(features: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of customers whose type a linear rule finds, learnt on other customers."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    rule = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))
    with threadpool_limits(1):
        return float((cross_val_predict(rule, features, truth, cv=3) == truth).mean())


def test_rfm_does_not_find_the_five_types_and_all_behaviour_does(shop: Shop) -> None:
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score
    from sklearn.preprocessing import StandardScaler

    truth = shop.truth.set_index("customer_id")["type"].astype(str)
    rfm = _rfm(shop)
    groups = KMeans(5, n_init=5, random_state=0).fit_predict(StandardScaler().fit_transform(rfm))
    assert adjusted_rand_score(truth.loc[rfm.index], groups) < 0.5

    # customers with at least four purchases: fewer tell too little about anybody
    orders = shop.orders.groupby("customer_id").size()
    regulars = orders.index[orders >= 4]
    known = truth.loc[regulars].to_numpy()
    counted = _found_again(_behaviour(shop, regulars, order=False), known)
    ordered = _found_again(_behaviour(shop, regulars, order=True), known)
    assert ordered > 0.85
    assert counted < ordered - 0.15, "the order of events must matter"


def test_planners_and_cart_leavers_differ_in_order_alone() -> None:
    shop = simulate(1_200, types=3)
    truth = shop.truth.set_index("customer_id")["type"].astype(str)
    orders = shop.orders.groupby("customer_id").size()
    pair = orders.index[(orders >= 4) & (truth.loc[orders.index] != "browser").to_numpy()]
    known = truth.loc[pair].to_numpy()
    assert set(known) == {"planner", "cart_leaver"}
    assert _found_again(_behaviour(shop, pair, order=False), known) < 0.65
    assert _found_again(_behaviour(shop, pair, order=True), known) > 0.9
