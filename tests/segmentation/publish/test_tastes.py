"""Tastes in the warehouse: a label of their own beside the segments, under the same rules of days and order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from segmentation.errors import MissingInput

ALL = {f"c{n}": 1 + n % 3 for n in range(1, 21)} | {"x1": 0}
LIKED = {f"c{n}": 1 + n % 2 for n in range(1, 20)}
CUSTOMERS = ("c1", "c2", "c3")
LABELS = dict.fromkeys(CUSTOMERS, 1)
PUBLICATIONS = st.lists(
    st.tuples(st.integers(0, 5), st.dictionaries(st.sampled_from(CUSTOMERS), st.integers(1, 3))), min_size=1, max_size=6
)
HISTORY = "select customer_id, valid_from, valid_to, taste_id from marts.customer_taste_history order by 1, 2"
CURRENT = "select customer_id, taste_id, taste_since from marts.customer_segments where taste_id is not null order by 1"

Stay = tuple[str, date, date | None, int]


def stays_in_order(published: Mapping[date, Mapping[str, int]]) -> list[Stay]:
    """Work out the history by hand: walk the published days in order; without a taste there is no stay."""
    found: list[Stay] = []
    for customer in CUSTOMERS:
        mine: list[list[Any]] = []
        for day in sorted(published):
            taste = published[day].get(customer)
            if mine and mine[-1][1] is None and mine[-1][2] != taste:
                mine[-1][1] = day
            if taste is not None and not (mine and mine[-1][1] is None):
                mine.append([day, None, taste])
        found += [(customer, *stay) for stay in mine]
    return found


def forget(nights: Any) -> None:
    with nights.warehouse.begin() as connection:
        for table in ("customer_segments", "customer_segment_history", "customer_taste_history", "segments", "tastes"):
            connection.execute(text(f"delete from marts.{table}"))
        for table in ("marts.segment_profiles", "marts.segment_transitions", "ops.runs"):
            connection.execute(text(f"delete from {table}"))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(publications=PUBLICATIONS)
def test_any_order_of_publications_ends_as_in_order(
    nights: Any, publications: list[tuple[int, dict[str, int]]]
) -> None:
    forget(nights)
    published: dict[date, dict[str, int]] = {}
    for number, tastes in publications:
        nights.night(number, LABELS, tastes=tastes)
        published[nights.day(number)] = tastes
        stays = stays_in_order(published)
        assert nights.rows(HISTORY) == stays
        # one open row for each customer with a taste, and for nobody else; current equals the newest
        newest = published[max(published)]
        still = [(customer, taste, since) for customer, since, until, taste in stays if until is None]
        assert {customer: taste for customer, taste, _ in still} == newest
        assert nights.rows(CURRENT) == still
        # no label without its taste, today or in the past, and no name that is not the taste's
        assert nights.rows(
            "select count(*) from marts.customer_taste_history left join marts.tastes t using (taste_id) "
            "where t.taste_id is null"
        ) == [(0,)]
        assert nights.rows(
            "select count(*) from marts.customer_segments c left join marts.tastes t using (taste_id) "
            "where c.taste_name is distinct from t.name"
        ) == [(0,)]
        assert nights.rows(
            "select count(*) from marts.customer_taste_history h left join ops.runs r using (run_id) "
            "where r.business_day is distinct from h.valid_from"
        ) == [(0,)]


def test_a_night_with_tastes_fills_its_tables(nights: Any) -> None:
    result = nights.night(0, ALL, tastes=LIKED)
    assert result.message == "Published 21 customers in 4 segments for 2026-03-01. Tastes: 2."
    assert nights.rows("select taste_id, name, status, born_on, retired_on, lineage from marts.tastes order by 1") == [
        (1, "Mostly tea", "active", nights.day(0), None, {}),
        (2, "Mostly cheese", "active", nights.day(0), None, {}),
    ]
    assert nights.rows(
        "select taste_id, taste_name, taste_since, segment_id from marts.customer_segments where customer_id = 'c2'"
    ) == [(1, "Mostly tea", nights.day(0), 3)]
    assert nights.rows(
        "select taste_id, taste_name, taste_since from marts.customer_segments where segment_id = 0"
    ) == [(None, None, None)]


def test_value_and_taste_move_by_themselves(nights: Any) -> None:
    nights.night(0, ALL, tastes=LIKED)
    nights.night(1, {**ALL, "c1": 1}, base=ALL, tastes={**LIKED, "c2": 2})
    since = (
        "select customer_id, since, taste_since from marts.customer_segments where customer_id in ('c1', 'c2', 'c3')"
    )
    first, second = nights.day(0), nights.day(1)
    assert nights.rows(f"{since} order by 1") == [
        ("c1", second, first), ("c2", first, second), ("c3", first, first)
    ]  # fmt: skip


def test_the_same_night_again_changes_nothing(nights: Any) -> None:
    nights.night(0, ALL, tastes=LIKED)
    nights.night(1, ALL, base=ALL, tastes={**LIKED, "c1": 1})
    seen = "select customer_id, valid_from, xmin::text from marts.customer_taste_history order by 1, 2"
    before, current = nights.rows(seen), nights.rows("select * from marts.customer_segments order by 1")
    assert not nights.publish(1).changed
    assert nights.rows(seen) == before
    assert nights.rows("select * from marts.customer_segments order by 1") == current


def test_an_older_day_moves_the_past_and_not_the_present(nights: Any) -> None:
    nights.night(0, ALL, tastes=LIKED)
    nights.night(2, ALL, base=ALL, tastes=LIKED)
    present = nights.rows("select customer_id, taste_id, taste_name from marts.customer_segments order by 1")
    result = nights.night(1, ALL, base=ALL, tastes={**LIKED, "c1": 1, "c2": 4})
    # other tastes are another result: the day after has to be run again
    assert result.stale_days == ["2026-03-03"]
    assert present == nights.rows("select customer_id, taste_id, taste_name from marts.customer_segments order by 1")
    since = "select customer_id, taste_since from marts.customer_segments where customer_id in ('c1', 'c3') order by 1"
    assert nights.rows(since) == [("c1", nights.day(2)), ("c3", nights.day(0))]
    # a taste that only the older day knows keeps a row while the history uses it
    assert nights.rows("select name, status from marts.tastes where taste_id = 4") == [
        ("A bit of everything", "retired")
    ]
    nights.night(1, ALL, base=ALL, tastes=LIKED)
    nights.night(2, ALL, base=ALL, tastes=LIKED)
    assert nights.rows("select count(*) from marts.tastes where taste_id = 4") == [(0,)]
    assert nights.rows("select distinct valid_from, valid_to from marts.customer_taste_history") == [
        (nights.day(0), None)
    ]


def test_a_shop_without_categories_has_none_and_says_so(nights: Any) -> None:
    version = nights.write(0, ALL, tastes={}, taste_reason="no tastes: the shop has no product categories")
    result = nights.publish(0, version)
    assert result.message.endswith("for 2026-03-01. No tastes: the shop has no product categories.")
    assert nights.rows("select count(*), count(taste_id), count(taste_since) from marts.customer_segments") == [
        (21, 0, 0)
    ]
    assert nights.rows("select count(*) from marts.customer_taste_history") == [(0,)]
    assert nights.rows("select count(*) from marts.tastes") == [(0,)]


def test_a_night_from_before_there_were_tastes_is_published_and_ends_open_stays(nights: Any) -> None:
    nights.night(0, ALL, tastes=LIKED)
    nights.night(1, ALL, base=ALL)
    assert nights.rows("select count(*) from marts.customer_taste_history where valid_to is null") == [(0,)]
    assert nights.rows("select count(taste_name) from marts.customer_segments") == [(0,)]


def test_a_taste_without_a_description_is_refused(nights: Any) -> None:
    version = nights.write(0, ALL, tastes=LIKED)
    file = nights.settings.lake.path("segmentations", day=nights.day(0), version=version) / "segmentation.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "tastes": content["tastes"][:1]}))
    with pytest.raises(MissingInput, match=r"description of tastes \[2\]"):
        nights.publish(0)


def test_rules_of_a_segment_are_published_where_there_are_any(nights: Any) -> None:
    segments = [
        {"segment_id": s, "name": f"S{s}", "description": "", "status": "active", "born_on": "2026-03-01",
         "retired_on": None, "lineage": {}, "distinctive": [], **rules}
        for s, rules in ((1, {"rules": ["orders > 3", "spend > 10"], "rule_fidelity": 0.9}), (2, {}))
    ]  # fmt: skip
    nights.publish(0, nights.write(0, {"c1": 1, "c2": 2}, segments=segments))
    assert nights.rows("select segment_id, rules, rule_fidelity from marts.segments order by 1") == [
        (1, ["orders > 3", "spend > 10"], 0.9),
        (2, None, None),
    ]
