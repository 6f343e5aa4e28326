"""The first task: wait for this run's turn and for the source, without holding a worker meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from math import nan
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

from segmentation.config import settings
from segmentation.connections import engine_for, named_errors
from segmentation.errors import SourceBehind
from segmentation_airflow.tonight import Tonight, tonight
from segmentation_airflow.turn import take_turn, waits_for
from segmentation_airflow.urls import SOURCE, WAREHOUSE, url_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from segmentation.evaluate.metric import Metric

#: Seconds between two looks at the other runs: cheap, and what a backfill loses between two days.
TURN_POLL_S = 3


@dataclass(frozen=True)
class Look:
    """What one look found.

    Attributes
    ----------
    message : str
        In words: what is waited for, or how far the source is.
    wait_s : float
        Seconds until the next look; 0 = the night may begin.
    hours_past : float
        Hours by which the source's newest row is later than the end of the day; NaN while it was not asked.
    """

    message: str
    wait_s: float = 0
    hours_past: float = nan


@dataclass(frozen=True)
class Beginning:
    """A run that wants to begin. Names only, so that it can be asked for anywhere and by anyone.

    Attributes
    ----------
    dag_id, run_id : str
        The run.
    day : str
        Its business day, ``YYYY-MM-DD``.
    first_task, approval_task, last_task : str
        Ids of the tasks between which a run is under way, and of the one in which it may wait for somebody.
    accept_unusual_day : bool
        Whether an empty day is fine.
    """

    dag_id: str
    run_id: str
    day: str
    first_task: str
    approval_task: str
    last_task: str
    accept_unusual_day: bool

    def look(self) -> Look:
        """Look once whether the night may begin; blocks for as long as a few short queries take.

        Raises
        ------
        SourceBehind
            If the day must be complete by now and the source has nothing past its end.
        DatabaseUnreachable, LoginRefused, MissingTable
            If the source or the warehouse cannot be asked.
        """
        from segmentation.extract.freshness import assess_freshness

        configured, day, warehouse_url = settings(), date.fromisoformat(self.day), url_of(WAREHOUSE)
        asked = (self.dag_id, self.run_id, day, self.first_task, self.approval_task, self.last_task)
        warehouse = engine_for(warehouse_url)
        try:
            with named_errors("warehouse", warehouse_url):
                if other := waits_for(*asked, warehouse):
                    return Look(f"Waits for its turn: {other}.", TURN_POLL_S)
            freshness = assess_freshness(configured, day, url_of(SOURCE), datetime.now(UTC), self.accept_unusual_day)
            if freshness.state != "ready":
                return Look(freshness.message, configured.extract.poll_s, freshness.hours_past)
            # not before: a night that waits for its rows must not keep earlier days waiting
            with named_errors("warehouse", warehouse_url):
                if other := take_turn(*asked, warehouse):
                    return Look(f"Waits for its turn: {other}.", TURN_POLL_S)
        finally:
            warehouse.dispose()
        return Look(freshness.message, 0, freshness.hours_past)


class BeginTrigger(BaseTrigger):
    """Looks again and again until there is something to do for the task: begin, or fail with the look's error."""

    def __init__(self, beginning: dict[str, Any], wait_s: float) -> None:
        super().__init__()
        self.beginning = Beginning(**beginning)
        self.wait_s = wait_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what any triggerer needs to go on."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"beginning": asdict(self.beginning), "wait_s": self.wait_s},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wake the task when the night may begin, or cannot; the queries run in a thread."""
        said = ""
        while True:
            await asyncio.sleep(self.wait_s)
            try:
                found = await asyncio.to_thread(self.beginning.look)
            except Exception as error:
                # the task looks again and meets the error itself, so that retries and ops.runs see it
                yield TriggerEvent({"woken_by": type(error).__name__})
                return
            if found.message != said:
                self.log.info(found.message)
                said = found.message
            if not found.wait_s:
                yield TriggerEvent({"woken_by": "ready"})
                return
            self.wait_s = found.wait_s


class WaitForSource(BaseSensorOperator):
    """Begins a night: enters it in `ops.runs`, waits for its turn, then for the source.

    The first look is taken at once; only if there is something to wait for does the task give its worker
    back and go on in the triggerer.

    Parameters
    ----------
    approval_task, last_task : str
        Ids of tasks of the DAG: a run that waits in the one, or in which the other is over, is out of the way.
    """

    def __init__(self, *, approval_task: str, last_task: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.approval_task, self.last_task = approval_task, last_task

    def execute(self, context: Context, event: dict[str, str] | None = None) -> dict[str, str]:
        """Look; return when the night may begin, else look on in the triggerer.

        Raises
        ------
        SourceBehind
            If the day must be complete by now and the source has nothing past its end.
        TaskDeferred
            If there is something to wait for.
        """
        night = tonight(context)
        if event is None:
            night.start()
        beginning = Beginning(
            dag_id=context["dag"].dag_id,
            run_id=night.run_id,
            day=night.day.isoformat(),
            first_task=self.task_id,
            approval_task=self.approval_task,
            last_task=self.last_task,
            accept_unusual_day=night.accept_unusual_day,
        )
        from segmentation.evaluate.gates import freshness_gate

        try:
            found = beginning.look()
        except SourceBehind as error:
            _record(night, freshness_gate(error.hours_past, str(error), passed=False))
            raise
        self.log.info("Business day %s. %s", night.day, found.message)
        if found.wait_s:
            self.defer(trigger=BeginTrigger(asdict(beginning), found.wait_s), method_name="execute")
        _record(night, freshness_gate(found.hours_past, found.message, passed=True))
        return {"business_day": beginning.day, "message": found.message}


def _record(night: Tonight, gate: Metric) -> None:
    from segmentation.evaluate.metric import store

    store(night.warehouse, night.day, night.run_id, (gate.step,), [gate])
