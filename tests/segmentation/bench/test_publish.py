"""The benchmark of publishing really publishes, and its reader really looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from segmentation.bench.publish import time_publication
from segmentation.config import Settings
from segmentation.demo import postgres
from segmentation.demo.postgres import Server


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[Server]:
    data_dir = tmp_path / "postgres"
    yield postgres.start(data_dir)
    postgres.stop(data_dir, mode="immediate")


def test_readers_see_a_whole_night_all_the_time(make_settings: Callable[..., Settings], fresh_server: Server) -> None:
    found = time_publication(make_settings(timezone="UTC"), fresh_server, 1_000)
    assert found["night"].tolist() == [1, 2]
    assert (found["looks"] > 3).all()
    assert found["wrong_looks"].tolist() == [0, 0]
    with fresh_server.engine("warehouse").connect() as connection:
        count = "select count(*) filter (where valid_to is null), count(*) from marts.customer_segment_history"
        present, stays = connection.exec_driver_sql(count).one()
    assert present == 1_000
    assert 1_000 < stays < 1_050, "about 1 % moved in the second night"
