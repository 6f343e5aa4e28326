"""What groups buy, against lifts worked out by hand; few buyers are not spoken of."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

# 40 customers in segment 1, 60 in segment 2; the first 20 of each buy tea, of segment 1 another 10 buy cheese
LABELS = {f"c{n}": 1 if n <= 40 else 2 for n in range(1, 101)} | {"x1": 0}
TASTES = {f"c{n}": 1 + n % 2 for n in range(1, 101)}
ROWS = "select item, buyers, support, shop_support, lift, rank from marts.segment_affinities where kind = '{}' "


def buy(nights: Any, number: int, bought: dict[str, list[tuple[str, str | None]]]) -> None:
    """Write who bought which product of which category, over two buckets."""
    for bucket in range(2):
        rows = [
            {"customer_id": c, "product_id": product, "category": category, "lines": 2, "periods": 0b101}
            for c, basket in sorted(bought.items())
            if int(c[1:]) % 2 == bucket
            for product, category in basket
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
        folder = nights.settings.lake.path("features", day=nights.day(number), bucket=f"{bucket:02d}")
        nights.settings.lake.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "products.parquet")


def baskets() -> dict[str, list[tuple[str, str | None]]]:
    tea = {f"c{n}": [("t1", "tea"), ("t2", "tea")] for n in (*range(1, 21), *range(41, 61))}
    return tea | {f"c{n}": [("k1", "cheese")] for n in range(21, 31)} | {"c70": [("k1", "cheese"), ("odd", None)]}


def test_lift_and_support_of_a_segment(nights: Any) -> None:
    version = nights.write(0, LABELS, tastes=TASTES)
    buy(nights, 0, baskets())
    nights.publish(0, version)
    rows = nights.rows(ROWS.format("segment") + "and group_id = 1 and level = 'category' order by rank")
    # 10 of 40 against 11 of 101 (c70 bought too); 20 of 40 against 40 of 101: two products of tea are one buyer
    assert rows == [
        ("cheese", 10, 0.25, pytest.approx(11 / 101, abs=1e-6), pytest.approx(0.25 * 101 / 11, abs=1e-4), 1),
        ("tea", 20, 0.5, pytest.approx(40 / 101, abs=1e-6), pytest.approx(0.5 * 101 / 40, abs=1e-4), 2),
    ]
    products = nights.rows(ROWS.format("segment") + "and group_id = 2 and level = 'product' order by rank")
    # the single buyer of cheese in segment 2 is not spoken of
    assert [row[0] for row in products] == ["t1", "t2"]
    tastes = nights.rows("select distinct group_id from marts.segment_affinities where kind = 'taste' order by 1")
    assert tastes == [(1,), (2,)]
    assert nights.rows("select min(buyers) >= 10 from marts.segment_affinities") == [(True,)]


def test_publishing_again_leaves_the_same_rows_and_days_stand_side_by_side(nights: Any) -> None:
    version = nights.write(0, LABELS, tastes=TASTES)
    buy(nights, 0, baskets())
    nights.publish(0, version)
    once = nights.rows("select * from marts.segment_affinities order by 1, 2, 3, 4, 5")
    nights.publish(0, version)
    assert nights.rows("select * from marts.segment_affinities order by 1, 2, 3, 4, 5") == once
    following = nights.write(1, LABELS, base=LABELS, tastes=TASTES)
    buy(nights, 1, baskets())
    nights.publish(1, following)
    assert nights.rows("select as_of, count(*) from marts.segment_affinities group by 1 order by 1") == [
        (nights.day(0), len(once)),
        (nights.day(1), len(once)),
    ]


def test_a_small_true_lift_outranks_a_large_one_that_few_support(nights: Any) -> None:
    labels = {f"c{n}": 1 if n <= 200 else 2 for n in range(1, 401)}
    # all of the 10 buyers of rare are in the segment; 180 of 200 buy usual, against 220 of 400 in the shop
    bought: dict[str, list[tuple[str, str | None]]] = {
        f"c{n}": [("usual", "a")] for n in (*range(1, 181), *range(201, 241))
    }
    for n in range(1, 11):
        bought[f"c{n}"] = [*bought[f"c{n}"], ("rare", "a")]
    version = nights.write(0, labels)
    buy(nights, 0, bought)
    nights.publish(0, version)
    rows = nights.rows(
        "select item, lift from marts.segment_affinities where kind = 'segment' and group_id = 1 and level = 'product' "
        "order by rank"
    )
    assert rows == [("usual", pytest.approx(0.9 / 0.55, abs=1e-4)), ("rare", 2.0)]


def test_products_are_described_in_the_words_that_the_shop_has(nights: Any) -> None:
    version = nights.write(0, LABELS)
    buy(nights, 0, baskets())
    lake, day = nights.settings.lake, nights.day(0)
    products = {"product_id": ["t1", "t2"], "category": ["tea", "tea"], "brand": ["Leaf", None]}
    lake.write_table(pa.table(products), lake.rows_file("checked", "products", day))
    nights.publish(0, version)
    found = nights.rows(
        "select distinct item, description from marts.segment_affinities where item in ('t1', 't2', 'tea') order by 1"
    )
    assert found == [("t1", "tea, Leaf"), ("t2", "tea"), ("tea", None)]


def test_a_shop_without_items_has_none(nights: Any) -> None:
    nights.night(0, LABELS)
    assert nights.rows("select count(*) from marts.segment_affinities") == [(0,)]
