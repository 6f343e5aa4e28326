"""A reader of the lake sees an old file or a new one, whole, whatever happened to the writer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segmentation import lake as lake_module
from segmentation.errors import LakeFull
from segmentation.lake import Lake, content_hash, replacing

DAY = date(2026, 3, 29)
SMALL = pa.table({"a": [1, 2, 3]})
#: Random numbers do not shrink: 8 MB, more than the small disk has.
BIG = pa.table({"a": np.random.default_rng(1).integers(0, 2**62, 1_000_000)})

SLOW_WRITER = """
import sys
from pathlib import Path
from segmentation.lake import replacing
with replacing(Path(sys.argv[1])) as temporary, temporary.open("w") as file:
    file.write("first half, ")
    file.flush()
    print("halfway", flush=True)
    sys.stdin.read()
    file.write("second half")
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder on a disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a full disk is a tmpfs of 1 MB, which may not be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_table_comes_back(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    target = lake.path("raw", "orders", day=DAY) / "rows.parquet"

    size = lake.write_table(SMALL, target)

    assert target == tmp_path / "raw/orders/day=2026-03-29/rows.parquet"
    assert size == target.stat().st_size
    assert pq.read_table(target, partitioning=None).equals(SMALL)


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for name in ("one", "two"):
        lake.write_table(SMALL, tmp_path / name / "rows.parquet")
    lake.write_json({"b": 1, "a": date(2026, 1, 1)}, tmp_path / "one" / "x.json")
    lake.write_json({"a": date(2026, 1, 1), "b": 1}, tmp_path / "two" / "x.json")

    hashes = [content_hash(tmp_path / name / "rows.parquet", tmp_path / name / "x.json") for name in ("one", "two")]

    assert hashes[0] == hashes[1]
    assert json.loads((tmp_path / "one" / "x.json").read_text()) == {"a": "2026-01-01", "b": 1}


def test_a_failed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    with pytest.raises(RuntimeError), replacing(target) as temporary:  # noqa: PT012
        temporary.write_text("half of the n")
        raise RuntimeError

    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.fixture
def other_writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that is halfway through writing ``file`` and goes on when it is told to."""
    environment = {**os.environ, "PYTHONPATH": str(Path(lake_module.__file__).parents[1])}
    command = [sys.executable, "-c", SLOW_WRITER, str(tmp_path / "file")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "halfway\n"
        yield process
        process.kill()


def test_what_a_killed_writer_left_is_removed(tmp_path: Path, other_writer: subprocess.Popen[str]) -> None:
    target = tmp_path / "file"
    other_writer.kill()
    other_writer.wait()
    assert len(list(tmp_path.glob(".file.*.tmp"))) == 1
    (tmp_path / ".file2.1.tmp").touch()

    with replacing(target) as temporary:
        temporary.write_text("new")

    assert target.read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".file2.1.tmp", "file"], "another file's is left alone"


def test_two_writers_at_once_never_mix_one_file(tmp_path: Path, other_writer: subprocess.Popen[str]) -> None:
    target = tmp_path / "file"

    with replacing(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    other_writer.communicate("go on")

    assert target.read_text() == "first half, second half"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_keeps_the_old_file_and_says_how_much_is_free(small_disk: Path) -> None:
    lake = Lake(small_disk / "lake")
    target = lake.path("raw", "events", day=DAY) / "rows.parquet"
    lake.write_table(SMALL, target)

    with pytest.raises(LakeFull) as caught:
        lake.write_table(BIG, target)

    assert pq.read_table(target, partitioning=None).equals(SMALL)
    assert [path.name for path in target.parent.iterdir()] == ["rows.parquet"]
    message = str(caught.value)
    assert message.startswith(f"no space left while writing {target} (1.0 MB free).")
    assert "The half-written file was removed, earlier files are whole." in message
    assert message.endswith("Free or add space under the lake, then clear the task.")


def test_days_lists_partitions_in_order_and_nothing_else(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for name in ("day=2026-03-02", "day=2026-03-01", "day=tomorrow", "other"):
        (tmp_path / "raw" / "orders" / name).mkdir(parents=True)

    assert lake.days("raw", "orders") == [date(2026, 3, 1), date(2026, 3, 2)]
    assert lake.days("raw", "events") == []


def test_remove_is_content_with_nothing_to_remove(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    folder = lake.path("raw", "orders", day=DAY)
    lake.write_table(SMALL, folder / "rows.parquet")

    lake.remove(folder)
    lake.remove(folder)

    assert not folder.exists()
