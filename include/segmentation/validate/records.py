"""What the checks found, as rows of `ops.check_results` and `ops.quarantine`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine, delete, insert

from segmentation.publish.warehouse_errors import named_warehouse_errors
from segmentation.warehouse import check_results, quarantine


@dataclass
class CheckRecord:
    """Outcome of one check over everything that a run looked at; fields as the columns of `ops.check_results`."""

    table_name: str
    check_name: str
    column_name: str
    level: str
    passed: bool = True
    rows_checked: int = 0
    rows_failed: int = 0
    observed: str = ""


@dataclass(frozen=True)
class SetAside:
    """Rows of one day and table set aside for one reason; fields as the columns of `ops.quarantine`."""

    data_day: date
    table_name: str
    reason: str
    rows: int
    file: str


def record(
    warehouse: Engine,
    day: date,
    run_id: str,
    checks: Iterable[CheckRecord],
    days_checked: Sequence[date],
    set_aside: Iterable[SetAside],
) -> None:
    """Write one run's outcome in one transaction, in place of what an earlier run of the day wrote.

    Counts of days that an earlier attempt of this business day checked, and this one did not have to, stay.

    Parameters
    ----------
    warehouse : Engine
        Engine of the publish role.
    day : date
        Business day of the run.
    run_id : str
        Run that checked.
    checks : iterable of CheckRecord
        Outcomes, one per table, check and column.
    days_checked : sequence of date
        Days whose rows were looked at.
    set_aside : iterable of SetAside
        Counts of rows set aside on those days.

    Raises
    ------
    DatabaseUnreachable, LoginRefused, WarehouseNotReady, PermissionMissing, WarehouseBusy, WarehouseFull
        If the warehouse cannot be written; nothing was.
    """
    outcomes = [{"business_day": day, "run_id": run_id, **vars(check)} for check in checks]
    counts = [{"business_day": day, "run_id": run_id, **vars(rows)} for rows in set_aside]
    with named_warehouse_errors(warehouse), warehouse.begin() as connection:
        connection.execute(delete(check_results).where(check_results.c.business_day == day))
        connection.execute(
            delete(quarantine).where(quarantine.c.business_day == day, quarantine.c.data_day.in_(days_checked))
        )
        if outcomes:
            connection.execute(insert(check_results), outcomes)
        if counts:
            connection.execute(insert(quarantine), counts)
