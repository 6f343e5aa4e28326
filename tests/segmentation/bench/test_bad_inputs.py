"""Every malformed input really gets what `docs/RELIABILITY.md` says it gets, and none is lost."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from segmentation.bench.bad_inputs import Outcomes, describe, run_bad_inputs
from segmentation.demo import postgres

RELIABILITY = Path(__file__).parents[3] / "docs" / "RELIABILITY.md"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcomes]:
    # not pytest's own folder, which is closed to the server's user
    with tempfile.TemporaryDirectory(prefix="segmentation-bad-") as folder:
        data_dir = Path(folder) / "data"
        try:
            yield run_bad_inputs(postgres.start(data_dir), tmp_path_factory.mktemp("bad"))
        finally:
            postgres.stop(data_dir, mode="immediate")


def test_no_row_is_lost(outcomes: Outcomes) -> None:
    assert len(outcomes.table) >= 60
    assert outcomes.is_complete, describe(outcomes)
    assert outcomes.account.endswith("10 more have no usable time and belong to no day: none is lost.")


def test_each_gets_one_of_five_answers(outcomes: Outcomes) -> None:
    answers = outcomes.table["outcome"].str.extract(r"^(kept|set aside: |left out: |stops the run: |accepted)")[0]
    assert answers.notna().all()
    assert set(answers) == {"kept", "set aside: ", "left out: ", "stops the run: ", "accepted"}


def test_the_documentation_says_what_they_got(outcomes: Outcomes) -> None:
    def lines(page: str) -> list[str]:
        return [re.sub(r" {2,}", " ", line) for line in page.splitlines() if re.match(r"\| +\d+ \|", line)]

    documented = RELIABILITY.read_text().partition("## Malformed inputs")[2]
    assert lines(describe(outcomes)) == lines(documented)
