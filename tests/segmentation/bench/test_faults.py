"""The promise of every step together: whatever strikes a night, the marts end as an undisturbed night leaves them.

Every task is killed once, some lose their connections, and the server crashes; the full number is for
`segmentation bench faults`.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from segmentation.bench.attempts import DROP, FULL, KILL, RESTART, STRUCK, TASKS
from segmentation.bench.faults import IN_A_ROW, deal, describe, run_faults, temporary_files
from segmentation.demo import postgres


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # not pytest's own folder, which is closed to the server's user
    with tempfile.TemporaryDirectory(prefix="segmentation-faults-") as folder:
        yield Path(folder) / "data"
        postgres.stop(Path(folder) / "data", mode="immediate")


@pytest.mark.timeout(900)
def test_nights_struck_in_every_task_leave_the_same_marts_and_files_as_undisturbed_ones(
    tmp_path: Path, data_dir: Path
) -> None:
    counts = {KILL: len(TASKS), DROP: 2, RESTART: 1}
    found = run_faults(tmp_path, data_dir, postgres.start(data_dir), counts, customers=300, seed=3)
    assert found.held, describe(found)
    assert set(found.struck.loc[found.struck["end"] == "killed", "task"]) == set(TASKS)
    assert len(found.struck) == sum(counts.values())
    assert found.looks > 100
    assert found.wrong == 0
    assert found.files == []
    assert len(found.nights) == 2
    assert "saw something that was neither last night nor tonight 0 times" in describe(found)


def test_faults_are_dealt_evenly_over_the_tasks_that_feel_them() -> None:
    counts = {KILL: 200, DROP: 20, FULL: 20, RESTART: 20}
    nights = deal(counts, random.Random(1))  # noqa: S311
    dealt = [(task, kind) for night in nights for task, kinds in night.items() for kind in kinds]
    assert all(len(kinds) <= IN_A_ROW for night in nights for kinds in night.values())
    for kind, count in counts.items():
        of_task = {task: dealt.count((task, kind)) for task in TASKS}
        assert sum(of_task.values()) == count
        assert {task for task, times in of_task.items() if times} == set(STRUCK[kind])
        assert max(of_task.values()) - min(times for times in of_task.values() if times) <= 1


def test_what_a_killed_writer_leaves_is_found(tmp_path: Path) -> None:
    left = [
        tmp_path / "lake/raw/.rows.parquet.17.tmp",
        tmp_path / "models/.2026-06-01-abc.tmp",
        tmp_path / "lake/tmp/f",
    ]
    for path in (*left, tmp_path / "lake/raw/rows.parquet"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert temporary_files(tmp_path) == set(left)
