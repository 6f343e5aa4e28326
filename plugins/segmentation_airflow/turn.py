"""Days are a chain, so one run at a time, the earliest day first.

Airflow's `max_active_runs` cannot say so: it does not count across a backfill and the scheduled runs, a backfill
brings its own number (10 unless told otherwise), and a held night that waits for an answer must not keep the others
waiting. So the first task of each run asks here, and every later one makes sure that the turn is still its run's:
somebody may clear a task in the middle of a night that is long over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime

from airflow.sdk import TaskInstanceState
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.dialects.postgresql import insert

from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import runs, turns

_OVER = {
    TaskInstanceState.SUCCESS,
    TaskInstanceState.FAILED,
    TaskInstanceState.SKIPPED,
    TaskInstanceState.UPSTREAM_FAILED,
    TaskInstanceState.REMOVED,
}
_ACTIVE = {
    TaskInstanceState.SCHEDULED,
    TaskInstanceState.QUEUED,
    TaskInstanceState.RUNNING,
    TaskInstanceState.RESTARTING,
    TaskInstanceState.DEFERRED,
    TaskInstanceState.UP_FOR_RETRY,
    TaskInstanceState.UP_FOR_RESCHEDULE,
}


def take_turn(
    dag_id: str, run_id: str, day: date, first_task: str, approval_task: str, last_task: str, warehouse: Engine
) -> str:
    """Take the turn, unless another run goes before this one; parameters and result as of `waits_for`.

    Who looks and who takes is one run at a time: two that begin in the same second would else both see nobody.
    The turn need not be given back: it counts for as long as its run is under way.

    Raises
    ------
    DatabaseUnreachable, LoginRefused, WarehouseNotReady, PermissionMissing, WarehouseBusy, WarehouseFull
        If the warehouse refuses.
    """
    with _alone(warehouse, dag_id) as connection:
        reason = waits_for(dag_id, run_id, day, first_task, approval_task, last_task, warehouse)
        if not reason:
            _take(connection, dag_id, run_id)
    return reason


def keep_turn(
    dag_id: str, run_id: str, day: date, first_task: str, approval_task: str, last_task: str, warehouse: Engine
) -> str:
    """Take the turn again in the middle of a run that does not have it any more; parameters and result as above.

    It goes before runs that have not begun, for those wait for it. Of several that were cleared midway the earliest
    day goes first.

    Raises
    ------
    DatabaseUnreachable, LoginRefused, WarehouseNotReady, PermissionMissing, WarehouseBusy, WarehouseFull
        If the warehouse refuses.
    """
    with _alone(warehouse, dag_id) as connection:
        taken_by = _taken_by(warehouse, dag_id)
        if taken_by == run_id:
            return ""
        others = [other for other in at_work(dag_id, approval_task, last_task) if other != run_id]
        if taken_by in others:
            return f"run {taken_by} is under way"
        begun = _begun(dag_id, first_task) if others else set()
        days = _business_days(warehouse, [other for other in others if other in begun])
        for other, its_day in days.items():
            if (its_day, other) < (day, run_id):
                return f"business day {its_day} goes first (run {other})"
        _take(connection, dag_id, run_id)
    return ""


@contextmanager
def _alone(warehouse: Engine, dag_id: str) -> Iterator[Connection]:
    with named_warehouse_errors(warehouse), warehouse.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(hashtext(:lock))"), {"lock": f"turn:{dag_id}"})
        yield connection


def _take(connection: Connection, dag_id: str, run_id: str) -> None:
    taken = {"run_id": run_id, "taken_at": datetime.now(UTC)}
    statement = insert(turns).values(dag_id=dag_id, **taken)
    connection.execute(statement.on_conflict_do_update(index_elements=[turns.c.dag_id], set_=taken))


def waits_for(
    dag_id: str, run_id: str, day: date, first_task: str, approval_task: str, last_task: str, warehouse: Engine
) -> str:
    """Say which other run goes before this one.

    Parameters
    ----------
    dag_id, run_id : str
        The run that asks; it has entered itself in `ops.runs`.
    day : date
        Its business day.
    first_task, approval_task, last_task : str
        Task ids: a run is under way when it has taken the turn, or the first has succeeded, and the last is not over,
        unless it waits for somebody to approve it.
    warehouse : Engine
        Where `ops.runs` tells the business days of the others.

    Returns
    -------
    str
        The reason to wait, in words; empty when it is this run's turn.
    """
    others = [other for other in at_work(dag_id, approval_task, last_task) if other != run_id]
    if not others:
        return ""
    if running := under_way(dag_id, others, first_task, warehouse):
        return f"run {running} is under way"
    days = _business_days(warehouse, others)
    for other in others:
        if other not in days:
            return f"run {other} has just begun and has not said its business day yet"
        if (days[other], other) < (day, run_id):
            return f"business day {days[other]} goes first (run {other})"
    return ""


def under_way(dag_id: str, run_ids: Sequence[str], first_task: str, warehouse: Engine) -> str:
    """Return the first of some runs that has begun its work; '' if all still wait for rows or for their turn.

    Parameters
    ----------
    dag_id : str
        The DAG.
    run_ids : sequence of str
        Runs of it from `at_work`.
    first_task : str
        Task id, see `waits_for`.
    warehouse : Engine
        Where `ops.turns` tells who took the turn.
    """
    if not run_ids:
        return ""
    begun, taken_by = _begun(dag_id, first_task), _taken_by(warehouse, dag_id)
    return next((run_id for run_id in run_ids if run_id == taken_by or run_id in begun), "")


def at_work(dag_id: str, approval_task: str, last_task: str) -> list[str]:
    """Return the ids of runs that Airflow runs: not those that wait for approval, or in which nothing is left to do.

    A run is over with ``last_task``, unless somebody has cleared another task of it since.
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance as Airflow

    def is_running(run_id: str) -> bool:
        return bool(Airflow.get_dagrun_state(dag_id=dag_id, run_id=run_id) == "running")

    running = Airflow.get_dr_count(dag_id=dag_id, states=["running"])
    if not running:
        return []
    states = Airflow.get_task_states(dag_id=dag_id, task_ids=[approval_task, last_task])
    unfinished = [
        run_id for run_id, tasks in states.items() if tasks.get(last_task) not in _OVER and is_running(run_id)
    ]
    if len(unfinished) < running:
        everything = Airflow.get_task_states(dag_id=dag_id)
        cleared = [run_id for run_id, tasks in everything.items() if not _ACTIVE.isdisjoint(tasks.values())]
        unfinished += [run_id for run_id in cleared if run_id not in unfinished and is_running(run_id)]
    return [
        run_id for run_id in unfinished if states.get(run_id, {}).get(approval_task) != TaskInstanceState.AWAITING_INPUT
    ]


def _begun(dag_id: str, first_task: str) -> set[str]:
    """Return the ids of runs whose first task has succeeded."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance as Airflow

    states = Airflow.get_task_states(dag_id=dag_id, task_ids=[first_task])
    return {run_id for run_id, tasks in states.items() if tasks.get(first_task) == TaskInstanceState.SUCCESS}


def _taken_by(warehouse: Engine, dag_id: str) -> str | None:
    with warehouse.connect() as connection:
        return connection.scalar(select(turns.c.run_id).where(turns.c.dag_id == dag_id))


def _business_days(warehouse: Engine, run_ids: list[str]) -> dict[str, date]:
    with warehouse.connect() as connection:
        query = select(runs.c.run_id, runs.c.business_day).where(runs.c.run_id.in_(run_ids))
        return {row.run_id: row.business_day for row in connection.execute(query)}
