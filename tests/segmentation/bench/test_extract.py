"""The figure that the README quotes must come out of a command that works."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from segmentation.bench.extract import bench_extract, make_bench_source
from segmentation.config import Settings
from segmentation.demo.postgres import Server


def test_both_ways_fetch_the_same_rows_and_stand_side_by_side(
    server: Server, make_settings: Callable[..., Settings]
) -> None:
    url, last_day = make_bench_source(server, rows=30_000, days=10)
    settings = make_settings(timezone="UTC")

    result = bench_extract(url, settings, last_day, repeats=1)

    assert last_day == date(2025, 1, 10)
    assert result.rows == 30_000
    assert result.ratio > 0
    header, copy, extraction = result.lines()
    assert header.split() == ["rows", "seconds", "rows/s", "ratio"]
    assert copy.startswith("raw binary COPY")
    assert extraction.startswith("extraction to parquet")
    assert list(settings.home.iterdir()) == []
    assert make_bench_source(server, rows=30_000, days=10) == (url, last_day)
