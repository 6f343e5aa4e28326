"""The embedded server comes up again after a killed start, a taken port and lost passwords."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from segmentation.demo import postgres
from segmentation.errors import PasswordsLost


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "postgres" / "data"
    yield folder
    postgres.stop(folder, mode="immediate")


def test_start_after_a_killed_start_and_on_a_taken_port(data_dir: Path) -> None:
    unfinished = data_dir.with_name("data.unfinished")
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18")
    first = postgres.start(data_dir)
    assert not unfinished.exists()
    assert (data_dir.parent / "passwords.json").stat().st_mode & 0o077 == 0
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(first.url("postgres").replace(first.passwords["postgres"], "guess"))

    postgres.stop(data_dir, mode="immediate")
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", first.port))
        squatter.listen()
        again = postgres.start(data_dir)
        assert again.port != first.port
        assert again.passwords == first.passwords
        psycopg2.connect(again.url("postgres")).close()
    assert postgres.start(data_dir) == again


def test_lost_passwords_are_named_and_nothing_is_deleted(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "PG_VERSION").write_text("18")
    with pytest.raises(PasswordsLost, match=r"passwords\.json, which holds its passwords, is gone"):
        postgres.start(data_dir)
    assert (data_dir / "PG_VERSION").exists()
