"""`segmentation bench growth`: the same customers and new rows after histories of different lengths."""

from __future__ import annotations

from segmentation.bench.growth import COLUMNS, time_growth
from segmentation.config import Settings


def test_a_longer_history_has_more_rows_and_what_it_costs_is_told(tmp_path) -> None:
    found = time_growth(Settings(home=tmp_path / "unused"), tmp_path, 120, [90, 180], 1)

    assert list(found.columns) == list(COLUMNS)
    assert found["history_days"].tolist() == [90, 180]
    short, long = found["rows"]
    # the simulated shop's days are alike
    assert 1.5 * short < long < 3 * short
    assert (found[["customers", "seconds", "cpu_seconds", "peak_mb", "read_mb"]] > 0).all(axis=None)
