"""The task between gates and publication: on a held night it asks somebody, and answers no when nobody does."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException
from airflow.utils.types import DagRunType

from segmentation.calendar import business_day_of, day_interval, shop_timezone
from segmentation_airflow.alerts import TellOfNight
from segmentation_airflow.tonight import Report, Tonight, base_of, tonight

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.xcom_arg import PlainXComArg


class AskIfHeld(ApprovalOperator):
    """Lets a night whose gates passed go on, and asks on Airflow's page *Required actions* whether a held one may.

    A held night is entered as such, and customers who came since the published night get a label from that one's
    segments. Then the task waits, without a worker, until somebody answers or the next night begins; no answer means
    no. In a backfill nobody is waiting, so nobody is asked: the day stays held, and the next days build on the last
    published one.

    Parameters
    ----------
    built, verdict : XComArg
        What the tasks `features` and `evaluate` return.
    """

    template_fields: Collection[str] = (*ApprovalOperator.template_fields, "built", "verdict")

    def __init__(self, *, built: PlainXComArg, verdict: PlainXComArg, **kwargs: Any) -> None:
        # how long exactly is known when it asks; said here, the execution timeout stays that of the work before
        super().__init__(
            subject="Publish the held segments?",
            defaults=self.REJECT,
            response_timeout=timedelta(days=1),
            notifiers=TellOfNight("held"),
            **kwargs,
        )
        self.built: Any = built
        self.verdict: Any = verdict

    def execute(self, context: Context) -> Report:
        """Return at once if every gate passed; else hold the night and ask.

        Raises
        ------
        AirflowSkipException
            If the night is held in a backfill.
        TaskAwaitingInput
            If somebody has to answer.
        """
        verdict: Report = self.verdict
        if verdict["publish"]:
            return {"note": ""}
        night = tonight(context)
        message = _hold(night, self.built, verdict)
        if context["dag_run"].run_type == DagRunType.BACKFILL_JOB:
            raise AirflowSkipException(
                f"business day {night.day} is held: {message} Nobody is asked in a backfill. To be asked, trigger the "
                f"DAG with business_day = {night.day}; days that built on an earlier one are marked stale then."
            )
        until = next_night(night.now, night.settings.timezone)
        self.subject = f"Business day {night.day} is held. Publish it all the same?"
        self.body = _body(night.day.isoformat(), verdict["reasons"], message, until)
        self.response_timeout = until - night.now
        self.log.info("%s %s", self.subject, message)
        super().execute(context)
        raise AssertionError("unreachable: asking ends the task's first part")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Report:
        """Publish, or leave the labels as they are; the answer and whose it is are kept in `ops.runs`.

        Raises
        ------
        DownstreamTasksSkipped
            If the answer is no.
        """
        from segmentation.runs import hold_run

        night, reasons = tonight(context), " ".join(self.verdict["reasons"])
        user = event.get("responded_by_user")
        who = f"by {user['name'] or user['id']}" if user else "since nobody answered before the next night"
        if event["chosen_options"] == [self.APPROVE]:
            return {"note": f"Approved {who}, although: {reasons}"}
        said = f"Rejected {who}; the labels published before stay. {reasons}"
        hold_run(night.warehouse, night.run_id, [said], night.now)
        super().execute_complete(context, event)
        return {"note": ""}


def next_night(now: datetime, timezone: str) -> datetime:
    """Return when the next night begins: the end of the present business day.

    Examples
    --------
    >>> from datetime import UTC
    >>> next_night(datetime(2017, 10, 5, 3, 30, tzinfo=UTC), "Europe/Berlin").isoformat()
    '2017-10-06T00:00:00+02:00'
    """
    return day_interval(business_day_of(now, timezone), timezone).end.astimezone(shop_timezone(timezone))


def _hold(night: Tonight, built: Report, verdict: Report) -> str:
    from segmentation.publish.hold_night import hold_night

    asked = (verdict["reasons"], base_of(built), night.warehouse, night.run_id, night.now)
    return hold_night(night.settings, night.day, *asked).message


def _body(day: str, reasons: list[str], message: str, until: datetime) -> str:
    """Put what whoever answers has to know into Markdown."""
    gates = "\n".join(f"- {reason}" for reason in reasons)
    served = message.removeprefix(" ".join(reasons)).strip()
    return (
        f"Gates that failed:\n\n{gates}\n\n{served}\n\n"
        f"**Approve** publishes the segments of {day} as they are. **Reject** keeps what is served. Without an answer "
        f"until {until:%Y-%m-%d %H:%M %Z} it is rejected. The figures are on the page *Segments*, under *Runs*, and "
        f"in `ops.metrics`. To try again with other segments, trigger the DAG with business_day = {day} and search = "
        "true; this question need not be answered for that."
    )
