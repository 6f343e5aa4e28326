"""What every view shows first: which night it is, the segments' names, and what may be shown of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from segmentation.catalog import MINIMUM_SHOWN
from segmentation.errors import NotThere
from segmentation.pages.reader import Reading, Row

#: What would describe few people, and is left out of a segment that is too small.
_KEPT_OF_SMALL = ("as_of", "segment_id")


@dataclass(frozen=True)
class Night:
    """A published day as a page sees it.

    Attributes
    ----------
    day : the published day
    days : all published days, newest first
    segments : rows of marts.segments by id
    profiles : the day's profiles by segment id, small segments without figures (``small`` is true)
    """

    day: date
    days: Sequence[date]
    segments: dict[int, Row]
    profiles: dict[int, Row]

    def name(self, segment_id: int | None) -> str:
        """Return a segment's name; of -1 and None, that there is none."""
        if segment_id is None or segment_id < 0:
            return "not in the shop's data"
        known = self.segments.get(segment_id)
        return str(known["name"]) if known else f"segment {segment_id}"

    @property
    def names(self) -> list[str]:
        """Names of all segments in the order of their ids: the order of colours, the same in every chart."""
        return [str(segment["name"]) for segment in self.segments.values()]

    def earlier(self, days: int) -> date:
        """Return the published day that lies ``days`` before this one, or the nearest one after that."""
        within = [day for day in self.days if day <= self.day and (self.day - day).days <= days]
        return within[-1]


def read_night(reading: Reading, asked: date | None) -> Night | None:
    """Read a night, the newest one by default.

    Returns
    -------
    Night or None
        None if nothing has been published yet.

    Raises
    ------
    NotThere
        If the day that was asked for is not published.
    """
    days = [row["as_of"] for row in reading.rows("list_days.sql")]
    if not days:
        return None
    day = asked or days[0]
    if day not in days:
        raise NotThere(f"There is no published night of {day}. The newest one is {days[0]}.")
    profiles = reading.rows("read_profiles.sql", first=day, last=day)
    segments = {row["segment_id"]: row for row in reading.rows("list_segments.sql")}
    return Night(day, days, segments, {row["segment_id"]: row for row in shown(profiles)})


def shown(profiles: Iterable[Row]) -> list[Row]:
    """Take the figures out of profiles of fewer than `MINIMUM_SHOWN` customers."""
    return [
        {**row, "small": False}
        if row["customers"] >= MINIMUM_SHOWN
        else {name: row[name] if name in _KEPT_OF_SMALL else None for name in row} | {"small": True}
        for row in profiles
    ]


def is_small(customers: int | None) -> bool:
    """Tell whether a count is too small to be shown; none at all is no secret."""
    return customers is not None and 0 < customers < MINIMUM_SHOWN
