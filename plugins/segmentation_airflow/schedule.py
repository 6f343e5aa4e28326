"""When nights begin: after each midnight of the shop, for the day that just ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import CronPartitionTimetable

from segmentation.calendar import day_interval
from segmentation.config import Settings

#: Earlier than any order: a backfill may reach back as far as the shop does.
BEGINNING = datetime(1990, 1, 1, tzinfo=UTC)


def after_each_day(settings: Settings) -> CronPartitionTimetable:
    """Return the timetable of one run per business day, whose partition key is the day.

    Midnight is the only hour at which a backfill from day to day makes exactly those days: with a later
    hour the last one is lost. Waiting for late rows is the first task's work, not the timetable's.
    """
    return CronPartitionTimetable("0 0 * * *", timezone=settings.timezone, run_offset=-1, key_format="%Y-%m-%d")


def end_of_schedule(settings: Settings) -> datetime | None:
    """Return when to stop scheduling: after the night of the shop's last day, or never (None)."""
    if settings.last_day is None:
        return None
    # that night begins at the very end of the day, which still has to be inside
    return day_interval(settings.last_day, settings.timezone).end + timedelta(seconds=1)
