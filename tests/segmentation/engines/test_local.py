"""What one machine does at once must be told as if it were done in turn."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from segmentation.config import Settings
from segmentation.engines.units import run_units
from segmentation.errors import LakeFull


@contextmanager
def meeting(settings: Settings, told: str) -> Iterator[Callable[[str], int]]:
    """Yield what does a unit only when another one is at work, too."""
    met = Barrier(2, timeout=30)

    def do(unit: str) -> int:
        met.wait()
        return len(unit)

    yield do


def test_units_at_once_give_their_counts_in_order(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    found = run_units(Settings(home=tmp_path), "encode", meeting, "", ["a", "bcd", "ef", ""], 1, at_once=2)
    assert found == [1, 3, 2, 0]
    assert "encode: 4 of 4 buckets" in caplog.messages


@contextmanager
def noting(settings: Settings, told: Path) -> Iterator[Callable[[str], int]]:
    """Yield what notes that a unit was begun; the first one finds the disk full."""

    def do(unit: str) -> int:
        (told / unit).touch()
        if unit == "0":
            raise LakeFull(Path("/srv/lake"), 12)
        time.sleep(0.2)
        return 1

    yield do


def test_the_error_of_a_unit_ends_them_all(tmp_path: Path) -> None:
    with pytest.raises(LakeFull):
        run_units(Settings(home=tmp_path), "encode", noting, tmp_path, [str(n) for n in range(20)], 1, at_once=2)
    assert len(list(tmp_path.iterdir())) < 20
