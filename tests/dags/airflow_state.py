"""What tests with Airflow share: waiting for it, and ending what other tests left running."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from segmentation.catalog import NIGHTLY_DAG


def until(found: Callable[[], Any], what: Callable[[], str] | str, seconds: float) -> Any:
    """Ask every second, and return the first answer that is true; what is waited for stands in the error."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what if isinstance(what, str) else what()}"
        time.sleep(1)
    return value


def end_nights() -> None:
    """End the nights that other tests left running in Airflow's database: they would be nights at work."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        session.query(DagRun).filter(DagRun.dag_id == NIGHTLY_DAG).update({"state": "failed"})
