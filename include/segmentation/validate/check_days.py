"""Check whole days of one table: columns, emptiness, volume, repeated keys, rows set aside, times in the future."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segmentation.config import CheckSettings
from segmentation.validate import suites
from segmentation.validate.findings import DayFigures, Finding, day_frame, finding
from segmentation.validate.suite_runs import Kept, run_suite

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.data_context import AbstractDataContext


@dataclass(frozen=True)
class CheckedDays:
    """Days of one table, checked.

    Attributes
    ----------
    kept : list of Kept
        Promises about days; places are positions in the days that were given.
    findings : list of Finding
        Every broken promise in words; of level ``table`` or ``note``.
    result : ExpectationSuiteValidationResult
        Great Expectations' own result, without values.
    """

    kept: list[Kept]
    findings: list[Finding]
    result: ExpectationSuiteValidationResult


def check_days(
    context: AbstractDataContext,
    name: str,
    figures: Sequence[DayFigures],
    limits: CheckSettings,
    accept_unusual_day: bool,
) -> CheckedDays:
    """Run a table's day suite.

    Parameters
    ----------
    context
        Ephemeral Great Expectations context.
    name : str
        Contract name of the table.
    figures : sequence of DayFigures
        Its days.
    limits : CheckSettings
        When a day may be used.
    accept_unusual_day : bool
        Report an empty day or an unusual volume as a note.
    """
    suite = suites.day_suite(name, limits.duplicate_share_limit, limits.quarantine_share_limit)
    run = run_suite(context, suite, day_frame(figures, limits))
    forgiven = suites.UNUSUAL if accept_unusual_day else ()
    kept = [one.as_note() if one.promise in forgiven and not one.passed else one for one in run.kept]
    findings = [finding(one, figures[place], limits) for one in kept for place in one.places]
    return CheckedDays(kept, findings, run.result)
