"""How the history is read: bounded, named when the disk is full, and for whoever the shop knows."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from segmentation.config import FeatureSettings, Settings
from segmentation.errors import LakeFull
from segmentation.features.history import open_database


def test_duckdb_keeps_to_the_settings(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, features=FeatureSettings(threads=1, memory_limit_gb=0.5))
    with open_database(settings, tmp_path) as connection:
        found = connection.execute(
            "select current_setting('threads'), current_setting('memory_limit'), current_setting('temp_directory')"
        ).fetchall()
    assert found == [(1, "476.8 MiB", str(tmp_path / "spill"))]


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(LakeFull, match="no space left while writing"),
        open_database(Settings(home=tmp_path), tmp_path),
    ):
        raise duckdb.IOException('Could not write file "rows.parquet": No space left on device')


def test_another_error_of_duckdb_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(duckdb.CatalogException), open_database(Settings(home=tmp_path), tmp_path) as connection:
        connection.execute("select * from nowhere")
