"""One tag in the mapping: what is personal reaches the lake as a pseudonym, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.segmentation.extract.conftest import LAST_DAY, TIMEZONE, Shop, files, read

from segmentation.config import Settings
from segmentation.erasure.requests import request_erasure
from segmentation.errors import InvalidMapping, MissingPrivacyKey
from segmentation.extract.extract_day import extract_day
from segmentation.extract.mapping import load_mapping
from segmentation.privacy.keyed_hash import pseudonym

KEY = "0123456789abcdef" * 4
MAPPING = """
customers:
  columns:
    customer_id: {expression: "'someone' || customer_id || '@example.org'", personal: true}
    country: {column: country, personal: true}
    created_at: {column: created_at, personal: true}
orders:
  columns:
    customer_id: {expression: "'someone' || customer_id || '@example.org'"}
    updated_at: {column: updated_at, personal: true}
events:
  columns:
    customer_id: {expression: "'someone' || customer_id || '@example.org'", personal: false}
    session_id: {column: session_id, personal: true}
"""


@pytest.fixture
def make(make_settings: Callable[..., Settings], tmp_path: Path) -> Callable[..., Settings]:
    def made(key: str | None = KEY, home: str = "home") -> Settings:
        path = tmp_path / "mapping.yml"
        path.write_text(MAPPING)
        privacy: dict[str, Any] = {"key": key} if key else {}
        return make_settings(
            timezone=TIMEZONE, home=tmp_path / home, extract={"mapping": path, "rows_per_query": 1000}, privacy=privacy
        )

    return made


def test_personal_keys_are_pseudonyms_that_still_join_and_other_columns_are_not_read(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    settings = make()
    extract_day(settings, LAST_DAY, shop.url, shop.now)
    key = KEY.encode()
    ids = {pseudonym(key, "customer_id", f"someone{n}@example.org") for n in range(1, 5)}
    customers, orders, events = (read(settings, table, LAST_DAY) for table in ("customers", "orders", "events"))
    assert set(customers["customer_id"].to_pylist()) == ids
    # in an order that tells nothing of the shop's
    assert customers["customer_id"].to_pylist() == sorted(ids)
    assert set(orders["customer_id"].to_pylist()) < ids
    assert set(events["customer_id"].drop_null().to_pylist()) < ids
    assert events["customer_id"].null_count == 1
    assert set(events["session_id"].to_pylist()) == {pseudonym(key, "session_id", "s6")}
    assert set(customers["country"].to_pylist()) == {pseudonym(key, "country", "DE")}
    assert customers["created_at"].null_count == 4
    assert orders["updated_at"].null_count == 2
    for file in settings.home.rglob("*"):
        if file.is_file():
            assert b"someone" not in file.read_bytes()
            assert KEY.encode() not in file.read_bytes()


def test_the_same_key_gives_the_same_files_and_another_one_fetches_everything_again(
    shop: Shop, make: Callable[..., Settings]
) -> None:
    for home in ("a", "b"):
        extract_day(make(home=home), LAST_DAY, shop.url, shop.now)
    assert files(make(home="a").home) == files(make(home="b").home)
    assert extract_day(make(home="a"), LAST_DAY, shop.url, shop.now).days_extracted == [str(LAST_DAY)]
    assert len(extract_day(make("x" * 32, home="a"), LAST_DAY, shop.url, shop.now).days_extracted) == 6


def test_without_the_key_nothing_is_read(shop: Shop, make: Callable[..., Settings]) -> None:
    settings = make(None)
    with pytest.raises(MissingPrivacyKey, match="reading personal columns needs the privacy key"):
        extract_day(settings, LAST_DAY, shop.url, shop.now)
    assert not settings.home.exists()


@pytest.mark.parametrize("by", ["shop's key", "pseudonym"])
def test_whoever_asked_to_be_erased_is_left_out_by_either_name(
    shop: Shop, make: Callable[..., Settings], warehouse: Engine, by: str
) -> None:
    settings = make()
    name = "someone1@example.org"
    hidden = pseudonym(KEY.encode(), "customer_id", name)
    request_erasure(warehouse, name if by == "shop's key" else hidden, "ticket")
    extract_day(settings, LAST_DAY, shop.url, shop.now, warehouse)
    for table in ("customers", "orders", "events"):
        found = read(settings, table, LAST_DAY)
        assert hidden not in found["customer_id"].to_pylist()
        assert "_is_erased" not in found.column_names
    # the first order of each day is customer 1's, and so are its lines
    assert set(read(settings, "order_items", LAST_DAY)["order_id"].to_pylist()) == {62}
    assert extract_day(settings, LAST_DAY, shop.url, shop.now, warehouse).days_extracted == [str(LAST_DAY)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "orders: {columns: {total_amount: {column: total, personal: true}}}",
            "orders.columns.total_amount is personal, but it is required and no step could use a pseudonym of it",
            id="required amount",
        ),
        pytest.param(
            "orders: {columns: {customer_id: {personal: true}}}", "Write {column: name, personal: true}", id="no source"
        ),
        pytest.param(
            "orders: {columns: {customer_id: {column: c, personal: yes please}}}",
            "Write {column: name, personal: true}",
            id="no truth value",
        ),
    ],
)
def test_a_tag_that_cannot_be_is_answered_with_its_remedy(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "shop.yml"
    path.write_text(text)
    with pytest.raises(InvalidMapping) as caught:
        load_mapping(path)
    assert message in str(caught.value)
