"""Who is told of a night that failed, is held or is late: an e-mail, a webhook, or both, as far as they are set up.

The channel is there if its connection is: `segmentation_alert_email` (type smtp; recipients in
``SEGMENTATION_ALERTS__EMAIL_TO``) and `segmentation_alert_webhook` (type http). There is one message per night: a
late one that has failed or is held was told of already, and a backfill tells nobody, as somebody is looking at it. If
a night that was told of as late is held or fails after that, or one that failed fails again, what is to be done is
another thing: then there is a second message, which says that it follows the first.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier, Connection
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowNotFoundException

from segmentation.catalog import NIGHTLY_DAG
from segmentation.config import settings
from segmentation_airflow.business_day import business_day
from segmentation_airflow.tonight import tonight
from segmentation_airflow.urls import open_warehouse

if TYPE_CHECKING:
    from datetime import date

    from airflow.sdk import Context

    from segmentation.alert import Alert, Kind

EMAIL = "segmentation_alert_email"
WEBHOOK = "segmentation_alert_webhook"
_TIMEOUT_S = 30

logger = logging.getLogger(__name__)

_REMEDIES: dict[Kind, str] = {
    "failed": "mend what the error names (docs/RUNBOOK.md has each by its name), then clear the task.",
    "held": "approve or reject it in Airflow, under Required actions, before the next night begins: without an answer "
    "it is rejected.",
    "late": "look at the run: a task that waits for the source goes on by itself when rows come; if one fails, there "
    "is another message.",
}


class TellOfNight(BaseNotifier):
    """Tells of the running task's night.

    Parameters
    ----------
    kind : {'failed', 'held'}
        What there is to tell.
    """

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind

    def notify(self, context: Context) -> None:
        """Send one message on each channel; a channel that fails is logged and changes nothing for the night."""
        from segmentation.alert import happened_in

        if context["dag_run"].run_type == "backfill":
            return
        night = tonight(context)
        if self.kind == "failed":
            happened = happened_in(context["task"].task_id, context.get("exception"))
        else:
            task: Any = context["task"]
            happened = " ".join(task.verdict["reasons"])
        send(compose(self.kind, night.day, night.run_id, happened))


def tell_if_late(context: dict[str, Any]) -> None:
    """Tell that a night has not published in time, unless it was told of already; what Airflow's deadline calls.

    Parameters
    ----------
    context : dict
        ``dag_run`` and ``deadline`` as plain values.
    """
    from segmentation.alert import is_settled

    run, timezone = context["dag_run"], settings().timezone
    day = business_day(run["partition_key"], None, None, _instant(run["run_after"]), timezone)
    try:
        if is_settled(open_warehouse(), run["dag_run_id"]):
            return
    except Exception:
        logger.warning("The ledger cannot be asked whether the night of %s is settled.", day, exc_info=True)
    hour = f"{settings().alerts.late_hour:02d}:00 {timezone}"
    send(compose("late", day, run["dag_run_id"], f"nothing has been published by {hour}."))


def compose(kind: Kind, day: date, run_id: str, happened: str) -> Alert:
    """Put a message together; ``happened`` is a sentence."""
    from segmentation.alert import Alert, told_before, what_is_served

    try:
        follows = told_before(open_warehouse(), run_id, settings().timezone)
    except Exception:
        logger.warning("The warehouse cannot be asked what was told of run %s before.", run_id, exc_info=True)
        follows = ""
    base = str(conf.get("api", "base_url", fallback="")).rstrip("/")
    url = f"{base}/dags/{NIGHTLY_DAG}/runs/{run_id}"
    return Alert(kind, day, run_id, happened, what_is_served(open_warehouse), _REMEDIES[kind], url, follows)


def send(alert: Alert) -> None:
    """Send a message on each channel that is set up; a channel that fails does not keep the other from being used."""
    from segmentation.alert import remember

    sent = []
    for conn_id, post in ((EMAIL, _mail), (WEBHOOK, _post)):
        try:
            connection = Connection.get(conn_id)
        except AirflowNotFoundException:
            continue
        except PermissionError:
            # what a deadline calls may not read the connections in Airflow's database
            logger.info("Connection %s is not in the environment, nor in a secrets backend.", conn_id)
            continue
        try:
            post(connection, alert)
            sent.append(conn_id)
        except Exception as error:
            # without the error's text: an address may be a secret
            logger.error("The alert could not be sent through %s: %s.", conn_id, type(error).__name__)
    logger.warning("%s. Told through: %s.", alert.subject, ", ".join(sent) or "nobody, no channel is set up or works")
    if sent:
        try:
            remember(open_warehouse(), alert, sent)
        except Exception:
            logger.warning("The warehouse cannot note that this was told.", exc_info=True)


def _mail(connection: Connection, alert: Alert) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    recipients = settings().alerts.email_to
    with SmtpHook(smtp_conn_id=connection.conn_id) as smtp:
        smtp.send_email_smtp(to=recipients, subject=alert.subject, html_content=alert.html)


def _post(connection: Connection, alert: Alert) -> None:
    import httpx

    host = connection.host or ""
    port = f":{connection.port}" if connection.port else ""
    address = host if "://" in host else f"{connection.schema or 'https'}://{host}{port}"
    login = {"Authorization": f"Bearer {connection.password}"} if connection.password else {}
    httpx.post(address, json=alert.body, headers=login, timeout=_TIMEOUT_S).raise_for_status()


def _instant(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
