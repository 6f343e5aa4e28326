"""What each segment and each taste buys more than the shop does: categories and products, with lift and support."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from segmentation.catalog import CHECKED, FEATURES, PRODUCTS
from segmentation.config import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Path(__file__).parent
#: Items listed per group and level.
ITEMS_PER_GROUP = 20

_CREATE_BOUGHT = """
create table bought (
    segment_id integer, taste_id integer, level varchar, item varchar, category varchar, buyers bigint, periods bigint
)
"""
_NO_ASSORTMENT = "select null::varchar as product_id, null::varchar as description where false"
_WORDS = ("category", "subcategory", "brand")


def rank_affinities(duck: DuckDBPyConnection, settings: Settings, day: date) -> list[dict[str, Any]]:
    """List the items that customers of each group have bought most beyond what the shop's customers have.

    Parameters
    ----------
    duck : DuckDBPyConnection
        From `profiles.night_files`: the view labels is read, the table bought and the view assortment are made.
    settings : Settings
        All settings; the lake and ``publish.minimum_group`` are read.
    day : date
        Business day.

    Returns
    -------
    list of dict
        Rows of `marts.segment_affinities`, by kind, group, level and rank; none for a shop without order items, and for
        a day whose features were made before they listed products.

    Notes
    -----
    With O buyers in the group and E expected (customers of the group times the share of all customers who bought it),
    items are ranked by (O + a) / (E + a): the mean of the lift's posterior under a gamma prior with mean 1 and
    a = ``publish.minimum_group``. Buckets are counted one after the other, so that memory holds the counts only.

    References
    ----------
    DuMouchel, W. (1999). Bayesian data mining in large frequency tables. The American Statistician 53(3).
    Norén, G. N., Hopstadius, J., Bate, A. (2013). Shrinkage observed-to-expected ratios. Statistical Methods in Medical
    Research 22(1).
    """
    view_assortment(duck, settings, day)
    duck.execute(_CREATE_BOUGHT)
    count = (_SQL / "count_bought.sql").read_text()
    for file in product_files(settings, day):
        duck.execute(count, {"file": str(file)})
    least = settings.publish.minimum_group
    result = duck.execute(
        (_SQL / "rank_affinities.sql").read_text(),
        {"minimum_group": least, "prior": least, "top": ITEMS_PER_GROUP},
    )
    names = [column[0] for column in result.description]
    return [{"as_of": day, **dict(zip(names, row, strict=True))} for row in result.fetchall()]


def product_files(settings: Settings, day: date) -> list[Path]:
    """List the files, one per bucket, that say what customers bought; none for a day from before there were such."""
    return sorted(settings.lake.path(FEATURES, day=day).glob("bucket=*/products.parquet"))


def view_assortment(duck: DuckDBPyConnection, settings: Settings, day: date) -> None:
    """Make the view ``assortment``: product_id (text) and description, the words that the shop has for a product."""
    file = settings.lake.rows_file(CHECKED, PRODUCTS, day)
    if not file.exists():
        duck.sql(_NO_ASSORTMENT).create_view("assortment")
        return
    present = set(pq.read_schema(file).names)
    words = ", ".join(f"min({word})" for word in _WORDS if word in present) or "null"
    described = f"cast(product_id as varchar) as product_id, nullif(concat_ws(', ', {words}), '') as description"
    duck.read_parquet(str(file), hive_partitioning=False).aggregate(described, "product_id").create_view("assortment")
