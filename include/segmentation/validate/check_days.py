"""Check whole days: columns, emptiness, volume, repeated keys, rows set aside, times in the future."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segmentation.config import CheckSettings
from segmentation.validate import suites
from segmentation.validate.findings import DayFigures, Finding, column_of, day_frame, finding, unusual
from segmentation.validate.records import CheckRecord
from segmentation.validate.suite_runs import Kept, run_suite

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.data_context import AbstractDataContext


@dataclass(frozen=True)
class CheckedDays:
    """Days of some tables, checked.

    Attributes
    ----------
    records : list of CheckRecord
        Outcome of every promise for every table.
    findings : list of Finding
        Every broken promise in words; of level ``table`` or ``note``.
    result : ExpectationSuiteValidationResult
        Great Expectations' own result, without values.
    """

    records: list[CheckRecord]
    findings: list[Finding]
    result: ExpectationSuiteValidationResult


def check_days(
    context: AbstractDataContext, figures: Sequence[DayFigures], limits: CheckSettings, accept_unusual_day: bool
) -> CheckedDays:
    """Run the day suite.

    Parameters
    ----------
    context
        Ephemeral Great Expectations context.
    figures : sequence of DayFigures
        Days, of any tables.
    limits : CheckSettings
        When a day may be used.
    accept_unusual_day : bool
        Report an empty day or an unusual volume as a note.
    """
    suite = suites.day_suite(limits.duplicate_share_limit, limits.quarantine_share_limit)
    run = run_suite(context, suite, day_frame(figures, limits))
    records, findings = [], []
    for kept in run.kept:
        level = "note" if accept_unusual_day and kept.promise in suites.UNUSUAL else kept.level
        found = [finding(kept, level, figures[place], limits) for place in kept.places]
        findings += found
        for table in dict.fromkeys(one.table for one in figures):
            if table in suites.MADE_FOR.get(kept.promise, (table,)):
                of_table = [one for one in figures if one.table == table]
                records.append(_record(kept, of_table, [one for one in found if one.table == table]))
    return CheckedDays(records, findings, run.result)


def _record(kept: Kept, days: Sequence[DayFigures], found: Sequence[Finding]) -> CheckRecord:
    said = "; ".join(one.found for one in found[:3])
    if not found and kept.promise in suites.UNUSUAL:
        # what is usual is worth knowing also where it was kept to; it is only known of the run's day
        said = "; ".join(unusual(day) for day in days if day.usual is not None)
    return CheckRecord(
        days[0].table,
        kept.promise,
        column_of(kept.promise, days[0].table),
        found[0].level if found else kept.level,
        not found,
        sum(day.rows for day in days),
        sum(one.count for one in found),
        said,
    )
