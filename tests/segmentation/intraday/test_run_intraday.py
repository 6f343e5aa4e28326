"""Labels within the day: those that a night would give from the same rows, or none."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from segmentation import runs
from segmentation.calendar import day_interval
from segmentation.clusters import hysteresis, segmentation_file
from segmentation.clusters.inputs import Outlook, read_no_order, read_static
from segmentation.clusters.published import published_segments
from segmentation.encoder.foresee_newcomers import foresee_newcomers
from segmentation.erasure.requests import request_erasure
from segmentation.errors import CannotBringForward
from segmentation.extract.extract_day import extract_day
from segmentation.features.build_features import build_features
from segmentation.night import run_night
from segmentation.validate.validate_day import validate_day

if TYPE_CHECKING:
    from tests.segmentation.intraday.conftest import Morning

pytestmark = pytest.mark.timeout(900)

#: Who does what in `make_the_day_eventful`; the first three are customers of the simulated shop.
BUYER, VISITOR, FALTERER = 11, 16, 17
NEWCOMER, LOOKER = 900_001, 900_002


def make_the_day_eventful(morning: Morning) -> set[str]:
    """Let each of them do one thing before noon, and others what they did the day before until noon.

    Returns
    -------
    set of str
        Who did something on purpose, those among them to whose orders of the last weeks something happened.
    """
    start = day_interval(morning.today, morning.settings.timezone).start
    nine = (start + timedelta(hours=9)).isoformat()
    last_week = (start - timedelta(days=5)).isoformat()
    before = f"timestamptz '{start.isoformat()}' - interval '24 hours'"
    again = f">= {before} and {{0}} < {before} + interval '12 hours'"
    returner, canceller, giver, taker = morning.shop_rows(
        f"select customer_id from shop.orders where ordered_at > timestamptz '{last_week}' - interval '10 days' "
        f"and customer_id not in ({BUYER}, {VISITOR}, {FALTERER}) group by 1 order by 1 limit 4"
    )
    newest = f"ordered_at < '{start.isoformat()}' order by ordered_at desc limit 1)"
    morning.shop_do(
        "insert into shop.order_items select order_id + 5000000, line_no, product_id, quantity, unit_price, "
        "discount_amount from shop.order_items where order_id in (select order_id from shop.orders where ordered_at "
        f"{again.format('ordered_at')})",
        "insert into shop.orders select order_id + 5000000, customer_id, ordered_at + interval '24 hours', status, "
        "currency, total_amount, discount_amount, coupon_code, ordered_at + interval '24 hours' from shop.orders "
        f"where ordered_at {again.format('ordered_at')}",
        "insert into shop.events select event_id + 50000000, customer_id, session_id || '+', "
        "occurred_at + interval '24 hours', event_type, product_id, channel, properties, "
        f"occurred_at + interval '24 hours' from shop.events where occurred_at {again.format('occurred_at')}",
        # two large orders, and the look that led to them
        f"""insert into shop.orders select 900000 + n, {BUYER}, timestamptz '{nine}' + n * interval '1 hour',
            'completed', (select min(currency) from shop.orders), 900.5, 0, null, timestamptz '{nine}' + n * interval
            '1 hour' from generate_series(1, 2) as n""",
        "insert into shop.order_items select 900000 + n, 1, min(product_id) + n, 2, 450.25, 0 "
        "from shop.products, generate_series(1, 2) as n group by n",
        f"""insert into shop.events select 9000000 + n, {BUYER}, 'visit', timestamptz '{nine}' + n * interval
            '1 minute', 'product_view', min(product_id) + n, 'app', null, timestamptz '{nine}' + n * interval '1 minute'
            from shop.products, generate_series(1, 5) as n group by n""",
        # a rush of sixty others: four small orders each
        f"""insert into shop.orders select 910000 + 4 * customer_id + n, customer_id,
            timestamptz '{nine}' + n * interval '20 minutes', 'completed',
            (select min(currency) from shop.orders), 9 + n, 0, null, timestamptz '{nine}' + n * interval '20 minutes'
            from shop.customers, generate_series(0, 3) as n where customer_id between 101 and 160""",
        # what happened to orders of the last weeks
        f"update shop.orders set status = 'returned', updated_at = '{nine}' where order_id in "
        f"(select order_id from shop.orders where customer_id = {returner} and {newest}",
        f"update shop.orders set status = 'cancelled', updated_at = '{nine}' where order_id in "
        f"(select order_id from shop.orders where customer_id = {canceller} and {newest}",
        f"update shop.orders set customer_id = {taker}, updated_at = '{nine}' where order_id in "
        f"(select order_id from shop.orders where customer_id = {giver} and {newest}",
        # a visit that arrives late
        f"""insert into shop.events select 9100000 + n, {VISITOR}, 'late', timestamptz '{last_week}' + n * interval
            '1 minute', 'add_to_cart', min(product_id) + n, 'web', null, '{nine}'
            from shop.products, generate_series(1, 4) as n group by n""",
        # rows that no night uses
        f"insert into shop.orders select 900100, {FALTERER}, '{nine}', 'completed', min(currency), -5000, 0, null, "
        f"'{nine}' from shop.orders",
        f"insert into shop.events values (9200000, {FALTERER}, 'x', '{nine}', 'teleported', null, 'web', null, "
        f"'{nine}')",
        # who was not there at night
        f"insert into shop.customers select n, '{nine}', null, 'DE', 1980, '{nine}', n = {NEWCOMER} "
        f"from generate_series({NEWCOMER}, {LOOKER}) as n",
        f"insert into shop.orders select 900200, {NEWCOMER}, '{nine}', 'completed', min(currency), 35, 5, 'HELLO', "
        f"'{nine}' from shop.orders",
        "insert into shop.order_items select 900200, 1, min(product_id), 1, 35, 0 from shop.products",
    )
    return {str(one) for one in (BUYER, returner, canceller, taker, VISITOR, FALTERER, NEWCOMER, LOOKER)}


def labels_by_night(morning: Morning) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Extract, check and describe today as a night does, and assign by the model and segments of the night before.

    Returns
    -------
    DataFrame, DataFrame
        Static features and ``segment_id``, both by customer.
    """
    settings, today = morning.settings, morning.today
    after = day_interval(today, settings.timezone).end + timedelta(hours=4)
    extract_day(settings, today, morning.shop_url, after, morning.warehouse)
    validate_day(settings, today, morning.warehouse, "by_night", after, accept_unusual_day=True)
    build_features(settings, today, warm=True)
    base = runs.base_night(morning.warehouse, today)
    assert base is not None
    segmentation, before = segmentation_file.read_base(settings.lake, base.business_day, base.segmentation_version)
    found = published_segments(settings, segmentation, before)
    assert found is not None
    static = read_static(settings.lake, today)
    table = foresee_newcomers(settings, today, base.model_version, static["customer_id"].tolist())
    outlook = Outlook(
        base.model_version, "", tuple(segmentation.outlook_columns), np.array(segmentation.outlook_weights), table,
        None, None,
    ).moved_from(segmentation_file.positions(segmentation, before), 1, settings.clusters.half_life_days)  # fmt: skip
    held = before.set_index("customer_id")["segment_id"].reindex(static["customer_id"]).fillna(-1).astype(int)
    own = pd.Index(found.ids).get_indexer(pd.Index(held))
    chosen = hysteresis.hold(found.fitted.distances(outlook.space(outlook.table)), own, settings.clusters.hysteresis)
    labels = {**dict.fromkeys(read_no_order(settings.lake, today), 0)}
    labels |= dict(zip(static["customer_id"], found.ids.to_numpy()[chosen], strict=True))
    return static.set_index("customer_id"), pd.DataFrame({"segment_id": pd.Series(labels)})


def test_a_label_within_the_day_is_that_of_a_night_with_the_same_model_from_the_same_rows(morning: Morning) -> None:
    told = make_the_day_eventful(morning)
    # a shop less still than by default, in which somebody moves within a day
    restless = {"hysteresis": 0.05, "half_life_days": 0.25}
    clusters = morning.settings.clusters.model_copy(update=restless)
    morning.settings = morning.settings.model_copy(update={"clusters": clusters})
    at_night = {row[0]: row for row in morning.current()}
    history = morning.rows("select * from marts.customer_segment_history order by 1, 2")
    result = morning.run()
    assert result.skipped == ""
    assert result.set_aside == {"orders": 1, "events": 1}
    columns = "customer_id, segment_id, as_of_time, provisional"
    query = f"select {columns} from marts.customer_segments where source = 'intraday'"
    within = {row[0]: row for row in morning.rows(query)}
    assert told <= set(within)
    assert len(within) == result.labelled
    # everybody else, and the histories, are as the night left them
    assert all(row == at_night[row[0]] for row in morning.current() if row[0] not in within)
    assert morning.rows("select * from marts.customer_segment_history order by 1, 2") == history
    _, expected = labels_by_night(morning)
    assert {one: row[1] for one, row in within.items()} == expected["segment_id"].reindex(list(within)).to_dict()
    # a test of a day on which nobody moves would prove little
    assert result.moved > 0
    assert any(row[1] != at_night[one][1] for one, row in within.items() if one in at_night)
    assert within[str(LOOKER)][1] == 0
    assert within[str(NEWCOMER)][1] != 0
    assert {one for one, row in within.items() if row[3]} == set(within) - set(at_night)


def test_the_same_rows_twice_change_nothing_and_a_row_that_came_late_is_taken_in(morning: Morning) -> None:
    make_the_day_eventful(morning)
    morning.run()
    first = morning.current()
    assert morning.run().labelled > 0
    assert morning.current() == first
    # nobody did anything since: only those of the overlap are looked at again, and nothing changes
    later = morning.noon + timedelta(minutes=15)
    assert morning.run(later).labelled < len(first)
    assert morning.current() == first
    # an order whose row says one minute before the last run, but was committed after it
    minute = (later - timedelta(minutes=1)).isoformat()
    morning.shop_do(
        f"insert into shop.orders select 900300, {LOOKER}, '{minute}', 'completed', min(currency), 35, 0, null, "
        f"'{minute}' from shop.orders"
    )
    morning.run(later + timedelta(minutes=15))
    (row,) = [row for row in morning.current() if row[0] == str(LOOKER)]
    assert row[1] != 0
    assert [row for row in morning.current() if row[0] != str(LOOKER)] == [r for r in first if r[0] != str(LOOKER)]


def test_who_asked_for_erasure_is_never_taken_in(morning: Morning) -> None:
    make_the_day_eventful(morning)
    for customer in (BUYER, NEWCOMER):
        request_erasure(morning.warehouse, str(customer), "ticket 1")
    before = {row[0]: row for row in morning.current()}
    morning.run()
    now = {row[0]: row for row in morning.current()}
    assert now[str(BUYER)] == before[str(BUYER)]
    assert str(NEWCOMER) not in now
    assert now[str(LOOKER)]


def test_a_run_killed_midway_leaves_nothing_behind(morning: Morning) -> None:
    make_the_day_eventful(morning)
    before = morning.current()
    # the database ends the transaction where the labels are half written
    morning.warehouse_admin_do(
        "create function marts.fail() returns trigger language plpgsql as $$begin raise exception 'killed'; end$$",
        "create trigger killer before insert on marts.customer_segments for each row execute function marts.fail()",
    )
    with pytest.raises(Exception, match="killed"):
        morning.run()
    assert morning.current() == before
    assert morning.rows("select count(*) from ops.intraday") == [(0,)]
    assert not (morning.settings.lake.root / "tmp" / "intraday").exists()
    morning.warehouse_admin_do("drop trigger killer on marts.customer_segments")
    assert morning.run().labelled > 0


def test_the_next_night_replaces_the_labels_and_counts_those_it_contradicts(morning: Morning) -> None:
    make_the_day_eventful(morning)
    morning.run()
    within = {row[0] for row in morning.rows("select customer_id from marts.customer_segments where provisional")}
    assert within
    labels = morning.rows("select count(*) from marts.customer_segments where source = 'intraday'")[0][0]
    after = day_interval(morning.today, morning.settings.timezone).end + timedelta(hours=4)
    urls = morning.shop_url, morning.warehouse_url
    # so eventful a day would be held for its amounts
    lenient = morning.settings.evaluate.model_copy(update={"drift_limit": 100.0})
    settings = morning.settings.model_copy(update={"evaluate": lenient})
    assert run_night(settings, morning.today, *urls, now=after, accept_unusual_day=True).published
    assert morning.rows("select distinct source, as_of_time, provisional from marts.customer_segments") == [
        ("night", None, False)
    ]
    counted = "select metric, value from ops.metrics where step = 'intraday' and business_day = :day order by metric"
    found = dict(morning.rows(counted, day=morning.today))
    assert found["intraday_labels"] == labels
    assert 0 <= found["intraday_differing"] <= labels
    # the next run begins where the night ended
    assert morning.rows("select count(*) from ops.intraday") == [(0,)]


def test_what_a_run_cannot_do_is_said_and_nothing_is_written(morning: Morning) -> None:
    make_the_day_eventful(morning)
    before, settings = morning.current(), morning.settings

    def refused(match: str, **changed: object) -> None:
        with pytest.raises(CannotBringForward, match=match):
            morning.run(**changed)
        assert morning.current() == before

    refused("1 customers|more than 1", intraday=settings.intraday.model_copy(update={"most_customers": 1}))
    refused("the schema of model", encoder=settings.encoder.model_copy(update={"width": 12}))
    with pytest.raises(CannotBringForward, match="9 days ago"):
        morning.run(morning.noon + timedelta(days=8))
    # read as in another timezone, the shop's rows would belong to other days
    refused("is not read as it was", timezone="Asia/Tokyo")
    morning.shop_do("update shop.orders set total_amount = -1 where order_id > 5000000")
    refused(".* would be set aside")
    shutil.rmtree(settings.models)
    refused("is not in the registry")
    morning.shop_do("alter table shop.orders drop column total_amount")
    with morning.warehouse.begin() as connection:
        connection.exec_driver_sql("delete from ops.runs")
    refused("no night has been published yet")


def test_with_nothing_new_nothing_is_done(morning: Morning) -> None:
    before = morning.current()
    # what the simulated shop still has to say of the days before is all in the lake
    morning.shop_do(
        "update shop.orders set updated_at = ordered_at",
        "update shop.events set loaded_at = occurred_at",
        "update shop.customers set updated_at = created_at",
    )
    result = morning.run(intraday=morning.settings.intraday.model_copy(update={"overlap_minutes": 0}))
    assert (result.touched, result.labelled, result.skipped) == (0, 0, "")
    assert morning.current() == before
