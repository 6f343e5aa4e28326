"""`segmentation bench intraday --times`: the lake has every customer so many times, whatever the type of ids."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from segmentation.bench.intraday import multiply_night
from segmentation.catalog import CHECKED, CUSTOMERS, EVENTS, FEATURES, ORDER_ITEMS, ORDERS, SEGMENTATIONS
from segmentation.lake import Lake

DAY = date(2026, 6, 30)


def test_every_customer_has_copies_with_rows_of_their_own(tmp_path) -> None:
    lake = Lake(tmp_path)
    rows = {
        ORDERS: {"order_id": [1, 2], "customer_id": [7, None], "status": ["completed", "returned"]},
        ORDER_ITEMS: {"order_id": [1, 1], "product_id": [3, 4]},
        EVENTS: {"event_id": [5], "customer_id": [7]},
        CUSTOMERS: {"customer_id": [7]},
    }
    for table, columns in rows.items():
        lake.write_table(pa.table(columns), lake.rows_file(CHECKED, table, DAY))
    described = lake.path(FEATURES, day=DAY, bucket="00") / "static.parquet"
    labels = lake.path(SEGMENTATIONS, day=DAY, version="v") / "labels.parquet"
    for file in (described, labels):
        lake.write_table(pa.table({"customer_id": ["7"], "position": [[0.5]]}), file)

    multiply_night(lake, DAY, 3)

    copies = [7, 7 + 10**10, 7 + 2 * 10**10]
    orders = pq.read_table(lake.rows_file(CHECKED, ORDERS, DAY), partitioning=None).to_pylist()
    assert sorted(one["customer_id"] for one in orders if one["customer_id"]) == copies
    assert len({one["order_id"] for one in orders}) == len(orders) == 6
    items = pq.read_table(lake.rows_file(CHECKED, ORDER_ITEMS, DAY), partitioning=None)
    assert sorted(items["order_id"].to_pylist()) == sorted(2 * [1, 1 + 10**10, 1 + 2 * 10**10])
    events = pq.read_table(lake.rows_file(CHECKED, EVENTS, DAY), partitioning=None)
    assert sorted(events["customer_id"].to_pylist()) == copies
    assert len(set(events["event_id"].to_pylist())) == 3
    customers = pq.read_table(lake.rows_file(CHECKED, CUSTOMERS, DAY), partitioning=None)
    assert sorted(customers["customer_id"].to_pylist()) == copies
    for file in (described, labels):
        assert pq.read_table(file, partitioning=None).to_pydict() == {
            "customer_id": sorted(str(one) for one in copies),
            "position": [[0.5]] * 3,
        }
