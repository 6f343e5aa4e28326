"""Days may be published in any order and again: history and current labels are as if they had come in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from segmentation.config import Settings

CUSTOMERS = ("c1", "c2", "c3")
LABELS = st.dictionaries(st.sampled_from(CUSTOMERS), st.integers(0, 3), min_size=1)
PUBLICATIONS = st.lists(st.tuples(st.integers(0, 5), LABELS), min_size=1, max_size=6)

Stay = tuple[str, date, date | None, int]


def stays_in_order(published: Mapping[date, Mapping[str, int]]) -> list[Stay]:
    """Work out the history by hand: walk the published days in order."""
    found: list[Stay] = []
    days = sorted(published)
    for customer in CUSTOMERS:
        open_stay: Stay | None = None
        for day in days:
            label = published[day].get(customer)
            if open_stay and open_stay[3] == label:
                continue
            if open_stay:
                found.append((customer, open_stay[1], day, open_stay[3]))
            open_stay = (customer, day, None, label) if label is not None else None
        if open_stay:
            found.append(open_stay)
    return sorted(found, key=lambda stay: stay[:2])


def current_in_order(published: Mapping[date, Mapping[str, int]], stays: Sequence[Stay]) -> list[tuple[Any, ...]]:
    """Work out the current labels by hand: customer, segment, since, segment before, as of."""
    newest = max(published)
    rows = []
    for customer in sorted(published[newest]):
        mine = [stay for stay in stays if stay[0] == customer]
        rows.append((customer, mine[-1][3], mine[-1][1], mine[-2][3] if len(mine) > 1 else None, newest))
    return rows


def empty(warehouse: Engine) -> None:
    with warehouse.begin() as connection:
        for table in ("customer_segments", "customer_segment_history", "segments", "segment_profiles"):
            connection.execute(text(f"delete from marts.{table}"))
        for table in ("customer_taste_history", "tastes", "segment_transitions"):
            connection.execute(text(f"delete from marts.{table}"))
        connection.execute(text("delete from ops.runs"))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(publications=PUBLICATIONS)
def test_any_order_of_publications_ends_as_in_order(
    nights: Any, publications: list[tuple[int, dict[str, int]]]
) -> None:
    empty(nights.warehouse)
    published: dict[date, dict[str, int]] = {}
    for number, labels in publications:
        nights.night(number, labels)
        published[nights.day(number)] = labels
        stays = stays_in_order(published)
        assert (
            nights.rows(
                "select customer_id, valid_from, valid_to, segment_id from marts.customer_segment_history order by 1, 2"
            )
            == stays
        )
        assert nights.rows(
            "select customer_id, segment_id, since, previous_segment_id, as_of from marts.customer_segments order by 1"
        ) == current_in_order(published, stays)
        # a stay's run is one that published the stay's first day
        assert nights.rows(
            "select count(*) from marts.customer_segment_history h left join ops.runs r using (run_id) "
            "where r.business_day is distinct from h.valid_from"
        ) == [(0,)]
        # no label without its segment, today or in the past
        assert nights.rows(
            "select count(*) from marts.customer_segment_history h left join marts.segments s using (segment_id) "
            "where s.segment_id is null"
        ) == [(0,)]


def test_only_customers_whose_label_changed_are_touched(nights: Any) -> None:
    labels = {f"c{n}": 1 for n in range(1, 200)}
    nights.night(0, labels)
    before = dict(nights.rows("select customer_id, xmin::text from marts.customer_segment_history"))
    nights.night(1, {**labels, "c7": 2})
    after = nights.rows("select customer_id, valid_from, xmin::text from marts.customer_segment_history")
    touched = {customer for customer, _, xmin in after if before[customer] != xmin}
    assert touched == {"c7"}
    assert len(after) == 200


def test_a_gap_in_a_customers_presence_stays_a_gap(nights: Any) -> None:
    nights.night(0, {"c1": 1, "c2": 1})
    nights.night(1, {"c2": 1})
    nights.night(2, {"c1": 1, "c2": 1})
    assert nights.rows(
        "select valid_from, valid_to from marts.customer_segment_history where customer_id = 'c1' order by 1"
    ) == [(nights.day(0), nights.day(1)), (nights.day(2), None)]


def test_holdout_is_a_stable_share_of_the_customers(
    make_settings: Callable[..., Settings], warehouse: Engine, nights: Any
) -> None:
    labels = {f"c{n}": 1 for n in range(1, 2001)}
    nights.night(0, labels)
    held = {row[0] for row in nights.rows("select customer_id from marts.customer_segments where holdout")}
    assert 60 < len(held) < 140  # 5 % of 2,000
    nights.night(1, {**labels, "c3000": 2})
    assert held == {
        row[0]
        for row in nights.rows(
            "select customer_id from marts.customer_segments where holdout and customer_id <> 'c3000'"
        )
    }
