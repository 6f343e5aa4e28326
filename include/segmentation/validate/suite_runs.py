"""Run a suite on a data frame with Great Expectations, quietly and without any file of its own."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from segmentation.errors import CheckBroken

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.data_context import AbstractDataContext
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration


@dataclass(frozen=True)
class Kept:
    """Whether one promise was kept.

    Attributes
    ----------
    promise, level, column, reason : str
        As in the suite, see `suites`.
    passed : bool
        True if no row breaks it.
    places : numpy.ndarray
        Places of the rows that break it.
    """

    promise: str
    level: str
    column: str
    reason: str
    passed: bool
    places: np.ndarray

    def at(self, places: np.ndarray) -> Kept:
        """Return the same with other rows that break it."""
        return replace(self, places=places, passed=not len(places))


@dataclass(frozen=True)
class SuiteRun:
    """One suite's outcome, and Great Expectations' own result without any value of a row."""

    kept: list[Kept]
    result: ExpectationSuiteValidationResult


def open_context() -> AbstractDataContext:
    """Return an ephemeral context: nothing on disk, no progress bars, no usage statistics, no log noise.

    From then on Great Expectations hashes no frame in this process: its module holds that setting, not a context.
    """
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.execution_engine import pandas_execution_engine

    # smaller frames are hashed, twice each, for a mark that nothing here reads: it took far longer than checking them
    pandas_execution_engine.HASH_THRESHOLD = 0
    # this module sets its own level when it is imported
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def run_suite(context: AbstractDataContext, suite: ExpectationSuite, frame: pd.DataFrame) -> SuiteRun:
    """Run a suite on a frame whose index is 0, 1, ….

    Raises
    ------
    CheckBroken
        If an expectation could not be evaluated at all.
    """
    batch = context.data_sources.pandas_default.read_dataframe(frame)
    # the index of the frame is what identifies a row; asking for index columns instead is slower and says the same
    result = batch.validate(suite, result_format={"result_format": "COMPLETE", "return_unexpected_index_query": False})
    outcomes = []
    for one in result.results:
        meta = cast("ExpectationConfiguration", one.expectation_config).meta
        _require_evaluated(suite.name, meta["promise"], one.exception_info)
        outcomes.append(
            Kept(
                meta["promise"],
                meta["level"],
                meta["column"],
                meta["reason"],
                bool(one.success),
                np.asarray(one.result["unexpected_index_list"], dtype=np.int64),
            )
        )
        one.result = _without_values(one.result)
    return SuiteRun(outcomes, result)


def _require_evaluated(suite: str, promise: str, exceptions: dict[str, Any]) -> None:
    found = [exceptions] if "raised_exception" in exceptions else list(exceptions.values())
    for exception in found:
        if exception["raised_exception"]:
            # the message may quote a value: only the kind of the error is told
            kind = str(exception["exception_message"]).partition("(")[0].partition(":")[0]
            raise CheckBroken(suite, promise, kind)


def _without_values(result: dict[str, Any]) -> dict[str, Any]:
    figures = ("_count", "_percent", "_percent_total", "_percent_nonmissing")
    counts = {name: value for name, value in result.items() if name.endswith(figures)}
    # the renderer of Data Docs wants the lists; empty ones hold no row of a customer
    return {**counts, "partial_unexpected_list": [], "partial_unexpected_counts": []}
