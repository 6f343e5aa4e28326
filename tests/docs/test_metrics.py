"""Metrics arrive where the runbook's variables send them: a UDP socket stands in for the StatsD server."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys

import pytest

from segmentation.demo.stack import ROOT

#: What Airflow's scheduler, and the process of a task, do before they count.
COUNT = """
from {package}.configuration import conf
from {package}.observability.metrics import stats_utils
from {shared} import stats

stats.initialize(
    factory=stats_utils.get_stats_factory(), export_legacy_names=conf.getboolean("metrics", "legacy_names_on")
)
stats.incr("scheduler_heartbeat")
stats.timing("task.duration", 1500, tags={{"dag_id": "segmentation_nightly", "task_id": "encode"}})
"""


@pytest.mark.parametrize(
    ("package", "shared"),
    [
        pytest.param("airflow", "airflow._shared.observability.metrics", id="scheduler"),
        pytest.param("airflow.sdk", "airflow.sdk._shared.observability.metrics", id="task"),
    ],
)
@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_statsd_gets_what_airflow_counts(package: str, shared: str, on: bool) -> None:
    page = (ROOT / "docs" / "RUNBOOK.md").read_text()
    told = dict(re.findall(r"`(AIRFLOW__METRICS__STATSD_\w+)=([^`]+)`", page))
    assert set(told) == {f"AIRFLOW__METRICS__STATSD_{name}" for name in ("ON", "HOST", "PORT", "PREFIX")}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5 if on else 0.2)
        told |= {
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(server.getsockname()[1]),
        }
        program = COUNT.format(package=package, shared=shared)
        subprocess.run([sys.executable, "-c", program], env=os.environ | (told if on else {}), timeout=120, check=True)
        if on:
            # beside others that Airflow counts while it is imported
            awaited = {
                "airflow.scheduler_heartbeat:1|c",
                "airflow.dag.segmentation_nightly.encode.duration:1500.000000|ms",
            }
            while awaited:
                awaited.discard(server.recv(1024).decode())
        else:
            with pytest.raises(TimeoutError):
                server.recv(1024)
