"""Consent comes from the day's snapshot of the customers, and from nowhere else."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

LABELS = {"c1": 1, "c2": 1, "c3": 2, "x4": 0}
CURRENT = "select customer_id, may_contact from marts.customer_segments order by 1"


def ask(nights: Any, number: int, consents: dict[str, bool | None]) -> None:
    lake = nights.settings.lake
    columns = {"customer_id": list(consents), "marketing_consent": pa.array(list(consents.values()), pa.bool_())}
    lake.write_table(pa.table(columns), lake.rows_file("checked", "customers", nights.day(number)))


def test_yes_no_and_unsaid(nights: Any) -> None:
    version = nights.write(0, LABELS)
    ask(nights, 0, {"c1": True, "c2": False, "x4": None})
    nights.publish(0, version)
    assert nights.rows(CURRENT) == [("c1", True), ("c2", False), ("c3", None), ("x4", None)]


def test_a_change_of_mind_shows_the_next_night(nights: Any) -> None:
    version = nights.write(0, LABELS)
    ask(nights, 0, {"c1": True})
    nights.publish(0, version)
    version = nights.write(1, LABELS, base=LABELS)
    ask(nights, 1, {"c1": False})
    nights.publish(1, version)
    assert nights.rows(CURRENT)[0] == ("c1", False)
    # an older day published again says nothing about today
    nights.publish(0)
    assert nights.rows(CURRENT)[0] == ("c1", False)


def test_a_lake_from_before_there_was_consent_says_nothing(nights: Any) -> None:
    version = nights.write(0, LABELS)
    lake = nights.settings.lake
    lake.write_table(pa.table({"customer_id": ["c1"]}), lake.rows_file("checked", "customers", nights.day(0)))
    nights.publish(0, version)
    assert {may for _, may in nights.rows(CURRENT)} == {None}
