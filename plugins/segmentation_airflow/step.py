"""How a step of the product becomes a task: its night handed in, its errors mapped, its failure kept in the ledger."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, task
from airflow.sdk.exceptions import AirflowRescheduleException

from segmentation.catalog import APPROVAL_TASK, FIRST_TASK, LAST_TASK, NIGHTLY_DAG
from segmentation.errors import SegmentationError, Terminal
from segmentation_airflow.alerts import TellOfNight
from segmentation_airflow.lineage import Tables, note_lineage, nothing
from segmentation_airflow.tonight import Report, Tonight, tonight
from segmentation_airflow.turn import keep_turn

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.xcom_arg import PlainXComArg

__all__ = ["DEFAULTS", "PATIENCE", "Report", "record_failure", "step"]

logger = logging.getLogger(__name__)

#: Seconds between two looks at the other runs by a task in the middle of a night: each look is a process.
TURN_POLL_S = 15

#: The one place where the product's errors meet Airflow's retries: what no retry can mend fails at once.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[RetryRule(Terminal, RetryAction.FAIL, reason="no retry helps: somebody has to act first, see the error")]
)


def step(
    reads: Tables = nothing, writes: Tables = nothing, **operator: Any
) -> Callable[[Callable[..., Report]], Callable[..., PlainXComArg]]:
    """Make a task of a function whose first parameter is the night; the others come from tasks before it.

    Parameters
    ----------
    reads, writes : callable
        Name the tables of the task, for lineage.
    **operator
        Arguments of the Airflow task.
    """

    def decorate(function: Callable[..., Report]) -> Callable[..., PlainXComArg]:
        @wraps(function)
        def run(*args: Report, **kwargs: Report) -> Report:
            night = tonight()
            require_turn(night)
            # what other workers have written since this one looked
            night.settings.lake.refresh()
            found = function(night, *args, **kwargs)
            note_lineage(night, reads, writes)
            return found

        signature = inspect.signature(function)
        run.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
        return cast("Callable[..., PlainXComArg]", task(multiple_outputs=False, **operator)(run))

    return decorate


def require_turn(night: Tonight) -> None:
    """Give the worker back until the turn is this run's, if it is not: the task was cleared while another run works.

    Raises
    ------
    AirflowRescheduleException
        If another run goes first; no try is used up.
    """
    asked = (NIGHTLY_DAG, night.run_id, night.day, FIRST_TASK, APPROVAL_TASK, LAST_TASK, night.warehouse)
    if reason := keep_turn(*asked):
        logger.info("Waits for its turn: %s.", reason)
        raise AirflowRescheduleException(night.now + timedelta(seconds=TURN_POLL_S))


def record_failure(context: Context) -> None:
    """Mark the run failed in `ops.runs` after a task has failed for good; a problem here never hides the task's own."""
    error = context.get("exception")
    message = str(error) if isinstance(error, SegmentationError | str) else f"{type(error).__name__}: {error}"
    try:
        from segmentation.runs import fail_run

        night = tonight(context)
        fail_run(night.warehouse, night.run_id, f"{context['task'].task_id}: {message}", night.now)
    except Exception:
        logger.warning("The run could not be marked failed in ops.runs.", exc_info=True)


#: What every task of ours has in common: its owner and its patience.
PATIENCE: dict[str, Any] = {
    "owner": "data-engineering",
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=15),
    "retry_policy": RETRY_POLICY,
    "execution_timeout": timedelta(hours=2),
}

#: What every task of a night has in common: beside these, its failure is kept in the ledger, and told.
DEFAULTS: dict[str, Any] = PATIENCE | {"on_failure_callback": [record_failure, TellOfNight("failed")]}
