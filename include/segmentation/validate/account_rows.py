"""Every night's account: each row that came in went on or was set aside, counted in the files themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pyarrow.parquet as pq

from segmentation.catalog import CHECKED, QUARANTINE, RAW
from segmentation.evaluate.metric import STOPS, VALIDATE_STEP, Metric
from segmentation.lake import Lake

GATE = "gate_rows_accounted"


@dataclass(frozen=True)
class Account:
    """What became of the rows of some files.

    Attributes
    ----------
    rows_in, kept, set_aside : int
        Rows of the raw files, of the checked files, and of the quarantine files.
    undated : int
        Rows of the source that have no usable time: they belong to no day, so they are in no file.
    wrong : list of (table, day, int)
        Where it does not add up, and the rows that are missing there (negative: that are too many).
    """

    rows_in: int
    kept: int
    set_aside: int
    undated: int
    wrong: list[tuple[str, date, int]]

    @property
    def lost(self) -> int:
        """Rows that are missing or too many, all places together."""
        return sum(abs(rows) for _, _, rows in self.wrong)

    def __str__(self) -> str:
        """Say it in words."""
        outside = f"; {self.undated:,} more have no usable time and belong to no day" if self.undated else ""
        places = ", ".join(f"{table} of {day} ({rows:+,})" for table, day, rows in self.wrong[:5])
        ending = f"{self.lost:,} are not accounted for: {places}" if self.wrong else "none is lost"
        return f"{self.rows_in:,} rows in, {self.kept:,} kept, {self.set_aside:,} set aside{outside}: {ending}."


def account_rows(lake: Lake, places: Iterable[tuple[str, date]], undated: int = 0) -> Account:
    """Count rows in, kept and set aside, in the files as they lie on the disk.

    Parameters
    ----------
    lake : Lake
        With the files of validation.
    places : iterable of (str, date)
        Tables and days that were checked.
    undated : int
        Rows of the source without usable time.

    Returns
    -------
    Account
    """
    totals, wrong = {RAW: 0, CHECKED: 0, QUARANTINE: 0}, []
    for table, day in places:
        rows = {files: _rows(lake, files, table, day) for files in totals}
        for files, count in rows.items():
            totals[files] += count
        if missing := rows[RAW] - rows[CHECKED] - rows[QUARANTINE]:
            wrong.append((table, day, missing))
    return Account(totals[RAW], totals[CHECKED], totals[QUARANTINE], undated, wrong)


def account_gate(account: Account) -> Metric:
    """Return the account as a gate for `ops.metrics`."""
    return Metric(
        GATE,
        float(account.lost),
        threshold=0.0,
        passed=not account.wrong,
        detail=str(account),
        step=VALIDATE_STEP,
        consequence=STOPS,
    )


def _rows(lake: Lake, files: str, table: str, day: date) -> int:
    path = lake.rows_file(files, table, day)
    return int(pq.read_metadata(path).num_rows) if path.exists() else 0
