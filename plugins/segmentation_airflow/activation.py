"""What an export's task hands in: the destination's login from Airflow's connections, the run, the form."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Connection, get_current_context
from airflow.sdk.exceptions import AirflowNotFoundException

from segmentation.activation.destination import Login
from segmentation.activation.export_audience import export_audience
from segmentation.activation.login import connection_id
from segmentation.config import settings
from segmentation_airflow.tonight import Report, report
from segmentation_airflow.urls import open_warehouse


def login_of(destination: str) -> Login:
    """Return a destination's login; an empty one if Airflow has no connection for it."""
    try:
        connection = Connection.get(connection_id(destination))
    except AirflowNotFoundException:
        return Login()
    return Login(connection.login or "", connection.password or "")


def run_export(destination: str) -> Report:
    """Export to one destination as the running task's form says."""
    context = get_current_context()
    params, run = context["params"], context["dag_run"]
    asked = {"campaign": params["campaign"], "send": params["send"]}
    login, now = login_of(destination), datetime.now(UTC)
    return report(
        export_audience(settings().activation, destination, open_warehouse(), login, run.run_id, now, **asked)
    )
