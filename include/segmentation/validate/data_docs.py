"""Data Docs of one run: a page per table, rendered by Great Expectations, and an index. No row of a customer in them.

The pages need nothing from the network: Great Expectations' own page frame loads its looks and scripts from
the internet, so only the tables it renders are taken, into a frame of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from segmentation.lake import remove, replacing
from segmentation.validate.records import CheckRecord, SetAside

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.render.view import DefaultJinjaSectionView

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { border: 1px solid #ccc; padding: .35rem .6rem; text-align: left; vertical-align: top }
th { background: #f3f3f3 }
.broken { color: #a40000; font-weight: 600 } .kept { color: #006b2d }
.fa-check-circle::before { content: "\\2713"; color: #006b2d } .fa-times::before { content: "\\2717"; color: #a40000 }
.fa-exclamation-triangle::before { content: "!"; color: #a40000 }
"""


@dataclass(frozen=True)
class TableCounts:
    """Rows of a table that a run looked at.

    Attributes
    ----------
    rows_in, rows_ok : int
        Rows in the raw files, and of these kept.
    """

    rows_in: int
    rows_ok: int


def write_data_docs(
    folder: Path,
    day: date,
    days_checked: Sequence[date],
    counts: Mapping[str, TableCounts],
    checks: Sequence[CheckRecord],
    set_aside: Sequence[SetAside],
    failures: Sequence[str],
    results: Mapping[str, ExpectationSuiteValidationResult],
) -> Path:
    """Replace the pages of one run.

    Parameters
    ----------
    folder : Path
        Where the pages of this business day lie.
    day : date
        Business day of the run.
    days_checked : sequence of date
        Days whose rows were looked at.
    counts : mapping of str to TableCounts
        Per table, over all these days.
    checks, set_aside
        Outcomes over all these days.
    failures : sequence of str
        Messages of the table-level failures, if any.
    results : mapping of str to ExpectationSuiteValidationResult
        Per table, and for ``days``, result of the suite for the run's day, without values of rows.

    Returns
    -------
    Path
        The index page.

    Raises
    ------
    LakeFull
        If the disk is full.
    """
    remove(folder)
    for table, result in results.items():
        parts = [f'<p><a href="index.html">All tables of {day}</a></p>', *_rendered(result)]
        _write(folder / f"{table}.html", _page(f"Checks of {table}, {day}", parts))
    index = folder / "index.html"
    parts = _index(days_checked, counts, checks, set_aside, failures, results)
    _write(index, _page(f"Checks of business day {day}", parts))
    return index


def _index(
    days_checked: Sequence[date],
    counts: Mapping[str, TableCounts],
    checks: Sequence[CheckRecord],
    set_aside: Sequence[SetAside],
    failures: Sequence[str],
    results: Mapping[str, ExpectationSuiteValidationResult],
) -> list[str]:
    span = f"{days_checked[0]} to {days_checked[-1]}" if len(days_checked) > 1 else f"{days_checked[0]}"
    verdict = '<p class="broken">The day is not used.</p>' if failures else '<p class="kept">The day is used.</p>'
    return [
        f"<p>Days looked at: {len(days_checked)} ({span}).</p>",
        verdict,
        *(f'<p class="broken">{escape(message)}</p>' for message in failures),
        "<h2>Tables</h2>",
        _table(
            ("table", "rows", "kept", "set aside", "checks of the run's day"),
            [
                (
                    escape(table),
                    f"{count.rows_in:,}",
                    f"{count.rows_ok:,}",
                    f"{count.rows_in - count.rows_ok:,}",
                    f'<a href="{escape(table)}.html">page</a>' if table in results else "",
                )
                for table, count in counts.items()
            ],
        ),
        *(['<p><a href="days.html">Checks of the run\'s day as a whole</a></p>'] if "days" in results else []),
        "<h2>Promises, over all days looked at</h2>",
        _table(
            ("table", "promise", "column", "level", "kept", "rows", "rows that break it", "found"),
            [
                (
                    escape(check.table_name),
                    escape(check.check_name),
                    escape(check.column_name),
                    check.level,
                    '<span class="kept">yes</span>' if check.passed else '<span class="broken">no</span>',
                    f"{check.rows_checked:,}",
                    f"{check.rows_failed:,}",
                    escape(check.observed),
                )
                for check in checks
            ],
        ),
        "<h2>Rows set aside</h2>",
        _table(
            ("day", "table", "reason", "rows", "file in the lake"),
            [
                (str(rows.data_day), escape(rows.table_name), escape(rows.reason), f"{rows.rows:,}", escape(rows.file))
                for rows in set_aside
            ],
        ),
    ]


@lru_cache
def _section_view() -> DefaultJinjaSectionView:
    # it compiles its templates once, which takes longer than to fill them
    from great_expectations.render.view import DefaultJinjaSectionView

    return DefaultJinjaSectionView()


def _rendered(result: ExpectationSuiteValidationResult) -> list[str]:
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    document = ValidationResultsPageRenderer().render(result).to_json_dict()
    # the first section repeats suite and versions; the index says what matters of it
    return [
        _section_view().render({"section": section, "section_loop": {"index": number}})
        for number, section in enumerate(document["sections"][1:])
    ]


def _write(target: Path, page: str) -> None:
    with replacing(target) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{name}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _page(title: str, parts: Sequence[str]) -> str:
    heading = escape(title)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{heading}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{heading}</h1>\n" + "\n".join(parts) + "</body></html>\n"
    )
