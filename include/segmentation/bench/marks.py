"""Tables that commands write into pages whose rest is written by hand."""

from __future__ import annotations

from pathlib import Path


def marks(command: str) -> tuple[str, str]:
    """Return the lines between which a page holds what a command printed.

    Examples
    --------
    >>> marks("segmentation bench quality")[0]
    '<!-- segmentation bench quality: begin -->'
    """
    return f"<!-- {command}: begin -->", f"<!-- {command}: end -->"


def write_between_marks(page: Path, command: str, text: str) -> None:
    """Put ``text`` in the place of what stands between a command's marks; the rest is written by hand.

    Raises
    ------
    ValueError
        If the page lacks the marks.
    """
    begin, end = marks(command)
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{page} has no lines {begin!r} and {end!r}")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
