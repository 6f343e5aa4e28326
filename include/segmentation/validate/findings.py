"""One day of one table in figures, and what a broken promise about it means in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from math import nan
from typing import TYPE_CHECKING

from segmentation.catalog import ORDERS
from segmentation.config import CheckSettings
from segmentation.errors import CheckFailed
from segmentation.extract.contract import KEYS, TIME_COLUMNS
from segmentation.validate import suites
from segmentation.validate.columns import Disagreement
from segmentation.validate.usual import Usual

if TYPE_CHECKING:
    import pandas as pd

    from segmentation.validate.suite_runs import Kept

#: A share of fewer rows than this says nothing.
FEWEST_FOR_A_SHARE = 20
_SHOWN_KEYS = 10
# a shop's own keys may be words; whatever looks like an address or a name is not shown
_SHOWABLE = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


_COMPLETE = (
    "Is the source complete? If not, clear the extract task once it is; if the day really was so, run it again with "
    "accept_unusual_day = true."
)
_REMEDIES = {
    suites.COLUMNS_AGREED: "If the source changed, correct the mapping file (a column can be mapped to an expression "
    "that casts it), then clear the extract task.",
    suites.NOTHING_IN_THE_FUTURE: "A clock, a timezone or an import is wrong: correct the rows at the source, or the "
    "setting SEGMENTATION_TIMEZONE, then clear the extract task.",
    suites.DAY_NOT_EMPTY: _COMPLETE,
    suites.NOT_FAR_FEWER: _COMPLETE,
    suites.NOT_FAR_MORE: _COMPLETE,
    suites.FEW_REPEATED: "Remove the copies at the source and clear the extract task, or raise "
    "SEGMENTATION_CHECKS__DUPLICATE_SHARE_LIMIT and clear the validate task: the first row of each key is then kept.",
    suites.FEW_SET_ASIDE: "The rows are in the lake's quarantine folder. Correct them at the source and clear the "
    "extract task, or raise SEGMENTATION_CHECKS__QUARANTINE_SHARE_LIMIT and clear the validate task.",
}


@dataclass(frozen=True)
class DayFigures:
    """What is known of one day of one table.

    Attributes
    ----------
    table, day
        Contract name and business day.
    rows, set_aside, repeated : int
        Rows in the raw file; of these set aside; of these because their key occurs again.
    lone : int
        Items of no order at all, among ``set_aside``: the source's, not the day's, so no share counts them.
    set_aside_keys, repeated_keys : list of str
        Up to ten keys of such rows.
    reasons : dict of str to int
        Rows set aside per reason.
    columns : Disagreement or None
        What is wrong with the file's columns. Nothing else is known of the day then.
    future_rows, undated_rows : int
        Rows of the source later than now, and without usable time; only on the run's day.
    volume : int
        Rows that the shop's visitors caused (campaign contacts, which the shop itself sends, left out).
    usual : Usual or None
        Usual volume; only on the run's day, and only if there are days to compare with.
    """

    table: str
    day: date
    rows: int = 0
    set_aside: int = 0
    repeated: int = 0
    lone: int = 0
    set_aside_keys: list[str] = field(default_factory=list)
    repeated_keys: list[str] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    columns: Disagreement | None = None
    future_rows: int = 0
    future_keys: list[str] = field(default_factory=list)
    undated_rows: int = 0
    volume: int = 0
    usual: Usual | None = None

    def share(self, rows: int) -> float:
        """Return ``rows`` as a share of the day's own rows; NaN if they are too few to tell."""
        own = self.rows - self.lone
        return rows / own if own >= FEWEST_FOR_A_SHARE else nan


def shown_keys(keys: Sequence[object]) -> list[str]:
    """Return up to ten keys as text, without those that could be personal data.

    Examples
    --------
    >>> shown_keys([17, "A-3", "jane@example.org"])
    ['17', 'A-3', '(not shown)']
    """
    return [shown(key) for key in keys[:_SHOWN_KEYS]]


def shown(word: object) -> str:
    """Return a key or code as text, unless it could be personal data."""
    text = str(word)
    return text if _SHOWABLE.fullmatch(text) else "(not shown)"


def day_frame(figures: Sequence[DayFigures], limits: CheckSettings) -> pd.DataFrame:
    """Return the frame that the day suite looks at: a row per day and table.

    Parameters
    ----------
    figures : sequence of DayFigures
        Days, of any tables.
    limits : CheckSettings
        ``empty_day_expected_rows`` decides whether a day may be empty.
    """
    import pandas as pd

    def usual(day: DayFigures, name: str) -> float:
        return getattr(day.usual, name) if day.usual else nan

    return pd.DataFrame(
        {
            "table": [day.table for day in figures],
            "day": [day.day.isoformat() for day in figures],
            "columns": [day.columns.column if day.columns else "as agreed" for day in figures],
            "rows": [day.rows for day in figures],
            "fewest_rows": [int(_must_not_be_empty(day, limits)) for day in figures],
            "volume": [float(day.volume) for day in figures],
            "usual_at_least": [nan if _empty_says_it(day) else usual(day, "at_least") for day in figures],
            "usual_at_most": [usual(day, "at_most") for day in figures],
            # one row that occurs twice is an accident, not a broken load
            "repeated_share": [day.share(day.repeated) if day.repeated > 1 else 0.0 for day in figures],
            "set_aside_share": [day.share(day.set_aside - day.lone) for day in figures],
            "future_rows": [day.future_rows for day in figures],
            "undated_rows": [day.undated_rows for day in figures],
        }
    )


@dataclass(frozen=True)
class Finding:
    """A broken promise about a day, in words; fields as the arguments of `errors.CheckFailed`.

    Attributes
    ----------
    day : date
        The day that breaks it.
    level : str
        ``table`` (the run stops) or ``note``.
    """

    day: date
    level: str
    table: str
    column: str | None
    check: str
    count: int
    found: str
    remedy: str = ""
    keys: Sequence[str] = ()

    def error(self, more: str) -> CheckFailed:
        """Return the error that stops the run; ``more`` is said after the remedy."""
        return CheckFailed(
            self.table, self.column, self.check, self.count, self.found, f"{self.remedy} {more}", self.keys
        )


def column_of(promise: str, table: str) -> str:
    """Return the column that a promise about days is about; empty for the whole table."""
    if promise in (suites.NOTHING_IN_THE_FUTURE, suites.EVERY_ROW_DATED):
        return TIME_COLUMNS[table]
    return KEYS[table][0] if promise == suites.FEW_REPEATED else ""


def finding(kept: Kept, level: str, day: DayFigures, limits: CheckSettings) -> Finding:
    """Put a broken promise about a day into words.

    Parameters
    ----------
    kept : Kept
        One of the promises about days in `suites`.
    level : str
        ``table`` (the run stops) or ``note``.
    day : DayFigures
        The day that breaks it.
    limits : CheckSettings
        The limits that were applied.
    """
    own = day.rows - day.lone
    column: str | None = column_of(kept.promise, day.table) or None
    count, keys = day.volume, list[str]()
    if kept.promise == suites.COLUMNS_AGREED and day.columns is not None:
        column, count = day.columns.column, day.rows
        found = f"on {day.day} {day.columns.text}"
    elif kept.promise == suites.NOTHING_IN_THE_FUTURE:
        count, keys = day.future_rows, day.future_keys
        found = f"{_rows(count)} of the source are later than now"
    elif kept.promise == suites.EVERY_ROW_DATED:
        count = day.undated_rows
        found = f"{count} {kept.reason}"
    elif kept.promise == suites.FEW_REPEATED:
        count, keys = day.repeated, day.repeated_keys
        found = (
            f"on {day.day} {count} of {_rows(own)} repeat a key ({day.share(count):.1%}, limit "
            f"{limits.duplicate_share_limit:.1%}); a load may have run twice"
        )
    elif kept.promise == suites.FEW_SET_ASIDE:
        count, keys = day.set_aside - day.lone, day.set_aside_keys
        reasons = "; ".join(f"{reason} ({rows})" for reason, rows in _most(day.reasons))
        found = (
            f"on {day.day} {count} of {_rows(own)} would be set aside ({day.share(count):.1%}, limit "
            f"{limits.quarantine_share_limit:.1%}): {reasons}"
        )
    else:
        found = unusual(day)
    remedy = _REMEDIES.get(kept.promise, "")
    return Finding(day.day, level, day.table, column, kept.promise, count, found, remedy, keys)


def unusual(day: DayFigures) -> str:
    """Say how a day's volume compares with the usual one."""
    found = f"{day.volume} {day.table} on {day.day}"
    if day.usual is None:
        return f"{found}, and no earlier day to compare with"
    return (
        f"{found}, usual are about {day.usual.expected:.0f} ({day.usual.basis}), and {day.usual.at_least:.0f} to "
        f"{day.usual.at_most:.0f} are accepted"
    )


def _must_not_be_empty(day: DayFigures, limits: CheckSettings) -> bool:
    return day.usual is not None and day.usual.expected > limits.empty_day_expected_rows


def _empty_says_it(day: DayFigures) -> bool:
    # a day without any order is judged by its own promise, see suites.DAY_NOT_EMPTY
    return day.table == ORDERS and day.volume == 0


def _most(reasons: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"
