"""What a night makes of the labels that were made within its day: how many it contradicts."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from sqlalchemy import Connection, delete, func, select

from segmentation.calendar import day_interval
from segmentation.config import Settings
from segmentation.evaluate.metric import INTRADAY_STEP, Metric, store_within
from segmentation.warehouse import intraday

_SQL = Path(__file__).parent


def judge_labels(connection: Connection, settings: Settings, day: date, run_id: str) -> None:
    """Count the labels within the day that a night contradicts, and let the next run begin at the night's end.

    Parameters
    ----------
    connection : Connection
        The publishing transaction of the newest night; `tonight` is filled, `marts.customer_segments` not yet replaced.
    settings : Settings
        The timezone.
    day : date
        Business day.
    run_id : str
        Run that publishes.
    """
    if not connection.scalar(select(func.count()).select_from(intraday)):
        return
    told = {"day": day, "day_end": day_interval(day, settings.timezone).end}
    row = connection.exec_driver_sql((_SQL / "judge_labels.sql").read_text(), told).one()
    # a night that is published again finds none, and what it found before stays
    if row.labels:
        said = f"{row.differing} of {row.labels} labels made within the day are others by night"
        found = [
            Metric("intraday_labels", row.labels, step=INTRADAY_STEP, detail=said),
            Metric("intraday_differing", row.differing, step=INTRADAY_STEP, detail=said),
        ]
        store_within(connection, day, run_id, (INTRADAY_STEP,), found)
    connection.execute(delete(intraday))
