"""Whom marketing gets for a category or a product, asked as marketing, against chances worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Engine, text

from segmentation.catalog import MARKETING_ROLE
from segmentation.demo.postgres import Server
from segmentation.errors import QueryRefused
from segmentation.publish.query import run_query

CUSTOMERS = [f"c{n}" for n in range(1, 31)]
LABELS = {c: 1 if int(c[1:]) <= 15 else 2 for c in CUSTOMERS} | {"x1": 0}
TEA = {c: round(0.9 - int(c[1:]) / 100, 4) for c in CUSTOMERS[:20]}
CHEESE = {"c5": 0.4, "c6": 0.4, "c7": 0.2}


@pytest.fixture
def open_nights(nights: Any) -> Any:
    """Nights of a shop that holds nobody out."""
    publish = nights.settings.publish.model_copy(update={"holdout_share": 0.0})
    nights.settings = nights.settings.model_copy(update={"publish": publish})
    return nights


@pytest.fixture
def marketing(server: Server, warehouse_database: str) -> Iterator[Engine]:
    engine = server.engine(warehouse_database, MARKETING_ROLE)
    yield engine
    engine.dispose()


def foresee(nights: Any, number: int, chances: dict[str, dict[str, float]], bought: dict[str, dict[str, int]]) -> None:
    """Write interests by category, and who bought which product of tea in which periods."""
    rows = [
        {"customer_id": c, "category": category, "likelihood": p, "lift": 2.0, "bought_periods": 4}
        for category, customers in chances.items()
        for c, p in customers.items()
    ]
    schema = pa.schema(
        [
            ("customer_id", pa.string()),
            ("category", pa.string()),
            ("likelihood", pa.float64()),
            ("lift", pa.float64()),
            ("bought_periods", pa.int16()),
        ]
    )
    lake, day = nights.settings.lake, nights.day(number)
    lake.write_table(pa.Table.from_pylist(rows, schema=schema), lake.path("outlook", day=day) / "interests.parquet")
    lines = [
        {"customer_id": c, "product_id": product, "category": "tea", "lines": 1, "periods": periods}
        for product, customers in bought.items()
        for c, periods in customers.items()
    ]
    schema = pa.schema(
        [
            ("customer_id", pa.string()),
            ("product_id", pa.string()),
            ("category", pa.string()),
            ("lines", pa.int32()),
            ("periods", pa.int64()),
        ]
    )
    folder = lake.path("features", day=day, bucket="00")
    lake.write_table(pa.Table.from_pylist(lines, schema=schema), folder / "products.parquet")


def basket() -> dict[str, dict[str, int]]:
    """All of the first 20 bought green tea once and black tea in another period; c2 came back for green thrice more."""
    green = dict.fromkeys(CUSTOMERS[:20], 1) | {"c2": 0b1111}
    return {"green": green, "black": dict.fromkeys(CUSTOMERS[:20], 2), "white": {"c1": 1}}


def audience(engine: Engine, item: str, n: int) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        query = text("select customer_id, likelihood, segment_id, segment_name from marts.audience(:item, :n)")
        return [tuple(row) for row in connection.execute(query, {"item": item, "n": n})]


@pytest.fixture
def published(open_nights: Any) -> Any:
    version = open_nights.write(0, LABELS)
    foresee(open_nights, 0, {"tea": TEA, "cheese": CHEESE}, basket())
    lake = open_nights.settings.lake
    consent = {"customer_id": ["c1", "c3"], "marketing_consent": [True, False]}
    lake.write_table(pa.table(consent), lake.rows_file("checked", "customers", open_nights.day(0)))
    open_nights.publish(0, version)
    return open_nights


def test_the_likeliest_who_may_be_written_to(published: Any, marketing: Engine) -> None:
    name = "Weekly big baskets"
    assert audience(marketing, "tea", 3) == [("c1", 0.89, 1, name), ("c2", 0.88, 1, name), ("c4", 0.86, 1, name)]
    assert audience(marketing, "TEA", 1)[0][0] == "c1"
    # equals by customer; no more than there are
    assert [row[0] for row in audience(marketing, "cheese", 100)] == ["c5", "c6", "c7"]


def test_a_product_counts_by_the_own_past_and_the_segments(published: Any, marketing: Engine) -> None:
    found = audience(marketing, "green", 3)
    # segment 1: 14 x 1 + 4 periods with green, of 14 x 2 + 4 with tea
    (share,) = published.rows("select share from marts.product_shares where product_id = 'green' and segment_id = 1")[0]
    assert share == pytest.approx(18 / 32, abs=1e-6)
    assert found[0][:2] == ("c2", pytest.approx(0.88 * (4 + 2 * share) / (4 + 2), abs=1e-6))
    assert found[1][:2] == ("c1", pytest.approx(0.89 * 2 * share / (4 + 2), abs=1e-6))
    # five buyers in segment 2 are too few to speak of: the shop's share stands in
    assert published.rows("select segment_id from marts.product_shares where product_id = 'green' order by 1") == [
        (-1,),
        (1,),
    ]
    assert {row[2] for row in audience(marketing, "green", 100)} == {1, 2}


def test_any_name_of_a_category_or_product_comes_through(open_nights: Any, marketing: Engine) -> None:
    name, key = 'tea, "green" {x} \\ ½', "it's, 5\\"
    version = open_nights.write(0, LABELS)
    foresee(open_nights, 0, {"tea": TEA, name: {"c5": 0.4}}, {key: dict.fromkeys(CUSTOMERS[:20], 3)})
    open_nights.publish(0, version)
    assert audience(marketing, name, 5)[0][:2] == ("c5", 0.4)
    assert open_nights.rows("select category, likelihood from marts.customer_interests where customer_id = 'c5'") == [
        ("tea", TEA["c5"]),
        (name, 0.4),
    ]
    assert len(audience(marketing, key, 30)) == 20
    assert open_nights.rows("select distinct product_id, periods from marts.customer_products") == [(key, 2)]


def test_an_unknown_item_names_the_nearest(published: Any, server: Server, warehouse_database: str) -> None:
    url = server.url(warehouse_database, MARKETING_ROLE)
    with pytest.raises(QueryRefused, match=r"'chese' is no category .*The nearest categories are: cheese, tea"):
        run_query(url, "select * from marts.audience('chese', 5)")
    # one buyer is no audience
    with pytest.raises(QueryRefused, match="'white' is no category"):
        run_query(url, "select * from marts.audience('white', 5)")
    with pytest.raises(QueryRefused, match="null is no category"):
        run_query(url, "select * from marts.audience(null, 5)")
    with pytest.raises(QueryRefused, match="at least one customer, n is 0"):
        run_query(url, "select * from marts.audience('tea', 0)")


def test_the_holdout_is_left_out(published: Any, marketing: Engine) -> None:
    with published.warehouse.begin() as connection:
        connection.execute(text("update marts.customer_segments set holdout = true where customer_id in ('c1', 'c2')"))
    assert [row[0] for row in audience(marketing, "tea", 2)] == ["c4", "c5"]


def test_again_is_the_same_and_an_older_day_changes_nothing(published: Any, open_nights: Any) -> None:
    tables = ("customer_interests", "product_shares", "customer_products")

    def content() -> list[Any]:
        return [open_nights.rows(f"select * from marts.{table} order by 1, 2") for table in tables]

    before = content()
    assert all(before)
    open_nights.publish(0)
    assert content() == before
    version = open_nights.write(2, LABELS, base=LABELS)
    foresee(open_nights, 2, {"tea": {"c9": 0.5}}, basket())
    open_nights.publish(2, version)
    newest = content()
    assert [row[:3] for row in newest[0]] == [("c9", "tea", 0.5)]
    version = open_nights.write(1, LABELS, base=LABELS)
    foresee(open_nights, 1, {"tea": TEA}, basket())
    open_nights.publish(1, version)
    assert content() == newest


def test_a_night_without_a_model_says_so(published: Any, server: Server, warehouse_database: str) -> None:
    published.night(1, LABELS, base=LABELS)
    assert published.rows("select count(*) from marts.customer_interests") == [(0,)]
    with pytest.raises(QueryRefused, match=r"not known what customers will buy next.*no product categories"):
        run_query(server.url(warehouse_database, MARKETING_ROLE), "select * from marts.audience('tea', 5)")


def test_nobody_else_may_ask(server: Server, warehouse_database: str) -> None:
    owner = server.engine(warehouse_database)
    with owner.connect() as connection:
        may = "select has_function_privilege(:role, 'marts.audience(text, integer)', 'execute')"
        asked = {r: connection.scalar(text(may), {"role": r}) for r in ("marketing", "segmentation_extract")}
    owner.dispose()
    assert asked == {"marketing": True, "segmentation_extract": False}
