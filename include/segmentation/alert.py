"""What people are told when a night fails, is held or is late: what happened, what is served meanwhile, what to do."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sqlalchemy import Engine, select

from segmentation import runs
from segmentation.errors import SegmentationError
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
    """

    kind: Kind
    day: date
    run_id: str
    happened: str
    served: str
    remedy: str
    url: str

    @property
    def subject(self) -> str:
        """One line."""
        return f"Customer segments: the night of {self.day} {_HEADLINES[self.kind]}"

    @property
    def text(self) -> str:
        """The whole message as plain text."""
        said = f"What happened: {self.happened}\n\nWhat is served: {self.served}\n\nWhat to do: {self.remedy}"
        return f"{self.subject}.\n\n{said}\n\n{self.url}\n"

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


def is_settled(warehouse: Engine, run_id: str) -> bool:
    """Tell whether a run has published, was held or has failed, so that nobody waits for it any more."""
    with warehouse.connect() as connection:
        status = connection.scalar(select(runs_table.c.status).where(runs_table.c.run_id == run_id))
    return status not in (None, runs.RUNNING)
