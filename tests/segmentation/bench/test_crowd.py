"""`segmentation bench crowd`: the crowd is the small shop's customers, each so many times."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from segmentation.bench.crowd import multiply
from segmentation.catalog import FEATURES, OUTLOOK
from segmentation.lake import Lake

DAY = date(2025, 3, 1)


def test_every_customer_is_there_so_many_times_and_what_was_learnt_from_once(tmp_path) -> None:
    small, crowd = Lake(tmp_path / "small"), Lake(tmp_path / "crowd")
    bucket = small.path(FEATURES, day=DAY, bucket="00")
    outlook = small.path(OUTLOOK, day=DAY)
    rows = pa.table({"customer_id": ["a", "b"], "q_spend": [0.5, -0.5]})
    for file in (bucket / "static.parquet", outlook / "outlook.parquet", outlook / "matured.parquet"):
        small.write_table(rows, file)
    small.write_json({"customers": 2}, small.path(FEATURES, day=DAY) / "features.json")

    multiply(small, crowd, DAY, 3)

    for file in (bucket / "static.parquet", outlook / "outlook.parquet"):
        written = pq.read_table(crowd.root / file.relative_to(small.root), partitioning=None).to_pydict()
        assert written["customer_id"] == ["a", "a-1", "a-2", "b", "b-1", "b-2"]
        assert written["q_spend"] == [0.5] * 3 + [-0.5] * 3
    assert pq.read_table(crowd.path(OUTLOOK, day=DAY) / "matured.parquet", partitioning=None).equals(rows)
    assert (crowd.path(FEATURES, day=DAY) / "features.json").exists()
