"""The benchmark's warehouse is one that every page can show."""

from __future__ import annotations

import tempfile
from pathlib import Path

from segmentation.bench.page import make_bench_warehouse, time_pages
from segmentation.demo import postgres


def test_every_page_is_timed() -> None:
    # a server of its own: the benchmark fills the database `warehouse`
    with tempfile.TemporaryDirectory(prefix="segmentation-tests-") as folder:
        data_dir = Path(folder) / "data"
        try:
            warehouse = make_bench_warehouse(postgres.start(data_dir), customers=2_000, nights=5)
            head, *lines = time_pages(warehouse, repeats=2)
        finally:
            postgres.stop(data_dir, mode="immediate")
    assert "median ms" in head
    assert [line.split("  ")[0].strip() for line in lines] == [
        "overview",
        "map",
        "segment",
        "flows, 7 days",
        "flows, 28 days",
        "runs",
        "customer",
        "audiences",
        "audience.csv",
    ]
