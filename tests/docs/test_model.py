"""docs/MODEL.md shows what the code does: its blocks are run, and must give what is shown."""

from __future__ import annotations

import doctest
import re
import tempfile
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "MODEL.md"
_BLOCK = re.compile(r"^```pycon\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def _examples() -> str:
    """Return the blocks of the page with everything else blanked, so that a failure names the line of the page."""
    page = PAGE.read_text()
    shown = ["\n"] * page.count("\n")
    for found in _BLOCK.finditer(page):
        first = page.count("\n", 0, found.start(1))
        block = found[1].splitlines(keepends=True)
        shown[first : first + len(block)] = block
    return "".join(shown)


def test_the_page_gives_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    page = doctest.DocTestParser().get_doctest(_examples(), {}, PAGE.name, str(PAGE), 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(page, out=said.append)
    assert result.attempted > 40
    assert result.failed == 0, "".join(said)


def test_every_block_of_python_is_run() -> None:
    assert "```python" not in PAGE.read_text()
