"""What people are told when a night fails, is held or is late: what happened, what is served meanwhile, what to do."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sqlalchemy import Engine, insert, select

from segmentation import runs
from segmentation.calendar import shop_timezone
from segmentation.errors import SegmentationError
from segmentation.warehouse import alerts
from segmentation.warehouse import runs as runs_table

Kind = Literal["failed", "held", "late"]

_HEADLINES: dict[Kind, str] = {
    "failed": "failed",
    "held": "is held by a quality gate",
    "late": "is late",
}


@dataclass(frozen=True)
class Alert:
    """One message about one night, without secrets and personal data.

    Attributes
    ----------
    kind, day, run_id : which night
    happened, served, remedy : the message, a few sentences each
    url : Airflow's page of the run
    follows : the message before about the same run, in words; empty for the first, which is as a rule the only one
    """

    kind: Kind
    day: date
    run_id: str
    happened: str
    served: str
    remedy: str
    url: str
    follows: str = ""

    @property
    def subject(self) -> str:
        """One line."""
        said = f"the night of {self.day} {_HEADLINES[self.kind]}"
        return f"Customer segments, follow-up: {said}" if self.follows else f"Customer segments: {said}"

    @property
    def text(self) -> str:
        """The whole message as plain text."""
        said = f"What happened: {self.happened}\n\nWhat is served: {self.served}\n\nWhat to do: {self.remedy}"
        follows = f"This follows the message that {self.follows}.\n\n" if self.follows else ""
        return f"{self.subject}.\n\n{follows}{said}\n\n{self.url}\n"

    @property
    def html(self) -> str:
        """The whole message as the body of an e-mail; nothing in it is markup."""
        return "".join(f"<p>{html.escape(part)}</p>" for part in self.text.strip().split("\n\n"))

    @property
    def body(self) -> dict[str, Any]:
        """What a webhook gets: ``text``, which chat programs show, and its parts."""
        return {
            "text": self.text,
            "kind": self.kind,
            "business_day": self.day.isoformat(),
            "run_id": self.run_id,
            "happened": self.happened,
            "served": self.served,
            "do": self.remedy,
            "url": self.url,
            "follows": self.follows,
        }


def happened_in(task: str, error: object) -> str:
    """Say how a task failed.

    The text of our own errors is made for people. Any other error's may hold a value out of the data, so that only its
    kind leaves the house.

    Examples
    --------
    >>> happened_in("encode", ValueError("jane@example.org is no number"))
    'task encode failed with ValueError; its log in Airflow says more.'
    """
    if isinstance(error, SegmentationError):
        return f"task {task} failed: {error}"
    return f"task {task} failed with {type(error).__name__ if error else 'an error'}; its log in Airflow says more."


def what_is_served(open_warehouse: Callable[[], Engine]) -> str:
    """Say which labels marketing reads now; also when the warehouse cannot be asked."""
    try:
        with open_warehouse().connect() as connection:
            day = runs.newest_published(connection)
    except Exception:
        return (
            "the labels of the last published night; which one that is cannot be asked, the warehouse does not answer."
        )
    return f"the labels of {day}." if day else "nothing: no night has been published yet."


def told_before(warehouse: Engine, run_id: str, timezone: str) -> str:
    """Say which message about a run was sent last; empty if none was.

    Returns
    -------
    str
        For example "it is late, of 06:00 on 2026-03-02".
    """
    newest = select(alerts.c.kind, alerts.c.told_at).where(alerts.c.run_id == run_id).order_by(alerts.c.alert_id.desc())
    with warehouse.connect() as connection:
        row = connection.execute(newest.limit(1)).one_or_none()
    if row is None:
        return ""
    kind: Kind = row.kind
    return f"it {_HEADLINES[kind]}, of {row.told_at.astimezone(shop_timezone(timezone)):%H:%M on %Y-%m-%d}"


def remember(warehouse: Engine, alert: Alert, channels: Sequence[str]) -> None:
    """Note that a message was sent, for `told_before`."""
    told = {"run_id": alert.run_id, "business_day": alert.day, "kind": alert.kind, "channels": list(channels)}
    with warehouse.begin() as connection:
        connection.execute(insert(alerts).values(told))


def is_settled(warehouse: Engine, run_id: str) -> bool:
    """Tell whether a run has published, was held or has failed, so that nobody waits for it any more."""
    with warehouse.connect() as connection:
        status = connection.scalar(select(runs_table.c.status).where(runs_table.c.run_id == run_id))
    return status not in (None, runs.RUNNING)
