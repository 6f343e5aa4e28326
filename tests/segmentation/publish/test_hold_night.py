"""While a night is held everybody keeps their label, and who is new gets one from the segments that are served."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, text

from segmentation import runs
from segmentation.catalog import PUBLISH_ROLE
from segmentation.config import Settings
from segmentation.demo.postgres import Server
from segmentation.night import run_night
from segmentation.publish.hold_night import hold_night

if TYPE_CHECKING:
    from conftest import SmallShop
    from tests.segmentation.publish.conftest import Nights

#: As little training as makes a model.
QUICK = {
    "features": {"training_cutoffs": 1},
    "encoder": {"cold_epochs": 1, "warm_epochs": 1},
    "clusters": {"k_max": 4, "bootstraps": 2},
}
#: Nobody's outlook is ever so steady.
HOLDING = {"evaluate": {"drift_limit": 1e-9}}


def rows(warehouse: Engine, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", [True, False], ids=["with a model", "with RFM segments"])
def test_newcomers_are_labelled_by_the_published_night_until_one_is_published(
    make_settings: Callable[..., Settings],
    server: Server,
    small_shop: SmallShop,
    warehouse: Engine,
    warehouse_database: str,
    model: bool,
) -> None:
    quick = QUICK if model else QUICK | {"encoder": {"minimum_customers": 100_000}}
    usual, holding = (make_settings(small_shop.timezone, **quick, **gates) for gates in ({}, HOLDING))
    url = server.url(warehouse_database, PUBLISH_ROLE)
    # the shop is young enough for somebody to order for the first time within a week
    first, second, third = (small_shop.last_day - timedelta(days=back) for back in (30, 23, 22))

    def run(settings: Settings, day: Any) -> bool:
        return run_night(settings, day, small_shop.url, url, now=small_shop.now).published

    assert run(usual, first)
    before = rows(warehouse, "select * from marts.customer_segments order by customer_id")
    history = rows(warehouse, "select * from marts.customer_segment_history order by 1, 2")
    profiles = rows(warehouse, "select * from marts.segment_profiles")
    assert not run(holding, second)
    held = rows(warehouse, "select status, message from ops.runs order by started_at desc, run_id desc")
    assert ("held") in {status for status, _ in held}
    # all that was there is there as it was
    now = rows(warehouse, "select * from marts.customer_segments where not provisional order by customer_id")
    assert now == before
    assert rows(warehouse, "select * from marts.customer_segment_history order by 1, 2") == history
    assert rows(warehouse, "select * from marts.segment_profiles") == profiles
    came = rows(
        warehouse,
        "select segment_id, segment_name, confidence, reasons, since, as_of, model_version, rfm_segment, taste_id "
        "from marts.customer_segments where provisional",
    )
    assert came
    known = {row[0]: row[1] for row in rows(warehouse, "select segment_id, name from marts.segments")}
    model_version = rows(warehouse, "select distinct model_version from marts.customer_segments")
    assert len(model_version) == 1
    for segment, name, confidence, reasons, since, as_of, _, rfm_segment, taste in came:
        assert known[segment] == name
        assert 0 <= confidence <= 1
        assert reasons
        assert (since, as_of) == (second, first)
        assert rfm_segment
        assert taste is None
    assert any(segment != 0 for segment, *_ in came)
    (message,) = [message for status, message in held if status == "held"]
    assert f"{len(came)} new customer" in message
    # held again, the same customers have the same labels since the same day
    assert not run(holding, second)
    again = "select segment_id, segment_name, confidence, reasons, since, as_of, model_version, rfm_segment, taste_id "
    assert rows(warehouse, again + "from marts.customer_segments where provisional") == came
    # the next published night knows nothing of provisional labels
    assert run(usual, third)
    assert rows(warehouse, "select count(*) from marts.customer_segments where provisional") == [(0,)]
    assert rows(warehouse, "select distinct as_of from marts.customer_segments") == [(third,)]
    assert rows(
        warehouse,
        "select count(*) from marts.customer_segments c left join marts.customer_segment_history h "
        "on h.customer_id = c.customer_id and h.valid_to is null and h.segment_id = c.segment_id where h is null",
    ) == [(0,)]


def test_a_first_night_and_a_past_one_that_are_held_label_nobody(nights: Nights) -> None:
    labels = {"c1": 1, "c2": 1, "c3": 2, "c4": 2}
    now = datetime(2026, 5, 1, tzinfo=UTC)

    def hold(number: int) -> str:
        run_id, day = f"held {number}", nights.day(number)
        runs.start_run(nights.warehouse, run_id, day, now)
        base = runs.base_night(nights.warehouse, day)
        return hold_night(nights.settings, day, ["A gate failed."], base, nights.warehouse, run_id, now).message

    nights.write(0, labels)
    assert hold(0) == "A gate failed. Nothing was published before."
    assert nights.rows("select status, message from ops.runs") == [
        ("held", "A gate failed. Nothing was published before.")
    ]
    assert nights.rows("select count(*) from marts.customer_segments") == [(0,)]
    # a day in the past: later ones are published, and say all there is to say
    nights.night(0, labels)
    nights.night(2, labels, labels)
    nights.write(1, labels | {"c5": 1}, labels)
    assert hold(1) == f"A gate failed. Served are the labels of {nights.day(0)}."
    assert nights.rows("select count(*), bool_or(provisional) from marts.customer_segments") == [(4, False)]
