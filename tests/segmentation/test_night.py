"""A night as a whole: what stops it is named, and marketing keeps what it has. For kills see bench/test_faults.py."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, select, text

from segmentation.catalog import MARTS, PUBLISH_ROLE
from segmentation.config import Settings
from segmentation.demo.postgres import Server
from segmentation.errors import CheckFailed, DatabaseUnreachable, FutureBusinessDay, LoginRefused
from segmentation.night import run_night
from segmentation.warehouse import metadata, runs

if TYPE_CHECKING:
    from conftest import SmallShop


def marts(engine: Engine) -> dict[str, list[str]]:
    """Every row of every mart as text, less run ids, in key order."""
    found = {}
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            if table.schema == MARTS:
                columns = [column for column in table.c if column.name != "run_id"]
                rows = connection.execute(select(*columns).order_by(*table.primary_key.columns))
                found[table.name] = [repr(tuple(row)) for row in rows]
    return found


def test_the_database_down_or_a_wrong_password_is_named_and_writes_nothing(
    make_settings: Callable[..., Settings], server: Server, small_shop: SmallShop, warehouse_database: str
) -> None:
    settings, good = make_settings(), server.url(warehouse_database, PUBLISH_ROLE)
    closed = small_shop.url.replace(f":{server.port}/", ":1/")
    with pytest.raises(DatabaseUnreachable, match=r"the source database at 127\.0\.0\.1:1/"):
        run_night(settings, small_shop.last_day, closed, good, now=small_shop.now)
    wrong = small_shop.url.replace(server.passwords["segmentation_extract"], "wrong")
    with pytest.raises(LoginRefused, match="refuses user 'segmentation_extract'") as refused:
        run_night(settings, small_shop.last_day, wrong, good, now=small_shop.now)
    assert "wrong" not in str(refused.value).replace("wrong password", "")
    with pytest.raises(DatabaseUnreachable, match="the warehouse database"):
        run_night(
            settings, small_shop.last_day, small_shop.url, good.replace(f":{server.port}/", ":1/"), now=small_shop.now
        )
    assert not settings.lake.days("raw", "orders")


def test_a_day_that_is_not_over_is_refused_and_the_ledger_says_why(
    make_settings: Callable[..., Settings],
    server: Server,
    small_shop: SmallShop,
    warehouse_database: str,
    warehouse: Engine,
) -> None:
    tomorrow = small_shop.last_day + timedelta(days=1)
    with pytest.raises(FutureBusinessDay, match=f"The newest day that can run is {small_shop.last_day}"):
        run_night(
            make_settings(), tomorrow, small_shop.url, server.url(warehouse_database, PUBLISH_ROLE), now=small_shop.now
        )
    with warehouse.connect() as connection:
        status, message = connection.execute(select(runs.c.status, runs.c.message)).one()
    assert status == "failed"
    assert "has not ended" in message


def test_an_empty_day_stops_the_run_and_the_day_before_stays_published(
    make_settings: Callable[..., Settings],
    server: Server,
    small_shop: SmallShop,
    warehouse_database: str,
    warehouse: Engine,
) -> None:
    settings = make_settings(encoder={"minimum_customers": 100_000})  # RFM segments: this test needs no encoder
    url, last = server.url(warehouse_database, PUBLISH_ROLE), small_shop.last_day
    before = last - timedelta(days=1)
    assert run_night(settings, before, small_shop.url, url, now=small_shop.now).published
    served = marts(warehouse)
    with small_shop.admin.begin() as connection:
        local = f"(ordered_at at time zone '{small_shop.timezone}')::date = date '{last}'"
        connection.execute(
            text(f"delete from shop.order_items where order_id in (select order_id from shop.orders where {local})")
        )
        connection.execute(text(f"delete from shop.orders where {local}"))
    with pytest.raises(CheckFailed, match=r"orders.*accept_unusual_day") as failed:
        run_night(settings, last, small_shop.url, url, now=small_shop.now)
    assert failed.value.table == "orders"
    assert marts(warehouse) == served
    night = run_night(settings, last, small_shop.url, url, now=small_shop.now, accept_unusual_day=True)
    assert night.published


@pytest.mark.parametrize(
    ("customers", "history_days"), [(50, 150), (400, 7)], ids=["50 customers", "a week of history"]
)
def test_a_shop_too_small_or_too_young_for_an_encoder_gets_rfm_segments_and_is_told_why(
    customers: int,
    history_days: int,
    make_settings: Callable[..., Settings],
    server: Server,
    small_shop: SmallShop,
    warehouse_database: str,
    warehouse: Engine,
) -> None:
    first = small_shop.last_day - timedelta(days=history_days - 1)
    with small_shop.admin.begin() as connection:
        old = "select order_id from shop.orders where ordered_at < :first or customer_id in"
        gone = "select customer_id from shop.customers order by customer_id offset :customers"
        for statement in (
            f"delete from shop.events where customer_id in ({gone}) or occurred_at < :first",
            f"delete from shop.order_items where order_id in ({old} ({gone}))",
            f"delete from shop.orders where customer_id in ({gone}) or ordered_at < :first",
            f"delete from shop.customers where customer_id in ({gone})",
        ):
            connection.execute(text(statement), {"customers": customers, "first": first})
    url = server.url(warehouse_database, PUBLISH_ROLE)
    # thinning the history makes its last days look unlike the weeks before, and that is not what is tested
    night = run_night(
        make_settings(), small_shop.last_day, small_shop.url, url, now=small_shop.now, accept_unusual_day=True
    )
    assert night.published
    assert "RFM" in night.results["cluster"].reason  # type: ignore[attr-defined]
    with warehouse.connect() as connection:
        segments = connection.execute(text("select name from marts.segments where segment_id > 0")).scalars().all()
        labelled = connection.scalar(text("select count(*) from marts.customer_segments"))
    assert 1 <= len(segments) <= 11
    assert labelled > 20
