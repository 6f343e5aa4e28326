"""The command line as a person meets it: in a process of its own, by exit code and by what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segmentation.catalog import EXTRACT_ROLE, MARKETING_ROLE, PUBLISH_ROLE
from segmentation.demo.postgres import AIRFLOW_ROLE, Server

COMMAND = str(Path(sys.executable).parent / "segmentation")


def segmentation(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEGMENTATION_", "AIRFLOW"))}
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        env=kept | {"COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_setup_makes_a_warehouse_that_marketing_can_ask_and_may_be_repeated(server: Server, tmp_path: Path) -> None:
    passwords = {
        "SEGMENTATION_ADMIN_URL": server.url("postgres"),
        "EXTRACT_PASSWORD": server.passwords[EXTRACT_ROLE],
        "PUBLISH_PASSWORD": server.passwords[PUBLISH_ROLE],
        "MARKETING_PASSWORD": server.passwords[MARKETING_ROLE],
        "AIRFLOW_DATABASE_PASSWORD": server.passwords[AIRFLOW_ROLE],
    }
    for _ in range(2):
        made = segmentation(tmp_path, "setup", "--shop-schema", **passwords)
        assert made.returncode == 0, made.stderr
        assert "The warehouse is ready" in made.stdout
    assert server.has_database("shop")
    assert server.has_database("airflow")

    url = server.url("warehouse", MARKETING_ROLE)
    asked = segmentation(tmp_path, "sql", "select count(*) as customers from marts.customer_segments", "--url", url)
    assert (asked.returncode, asked.stdout) == (0, "customers\n0\n")
    refused = segmentation(tmp_path, "sql", "select * from ops.runs", "--url", url)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "QueryRefused" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert server.passwords[MARKETING_ROLE] not in refused.stderr


def test_an_export_is_a_dry_run_unless_told_otherwise(server: Server, warehouse_database: str, tmp_path: Path) -> None:
    environment = {
        "SEGMENTATION_ACTIVATION__DESTINATIONS": '{"crm": "https://crm.example.com/hook", "files": "file:///exports"}',
        "AIRFLOW_CONN_SEGMENTATION_WAREHOUSE": server.url(warehouse_database, PUBLISH_ROLE),
        "AIRFLOW_CONN_SEGMENTATION_DESTINATION_CRM": '{"password": "t0p-secret"}',
    }
    done = segmentation(tmp_path, "export", **environment)
    assert done.returncode == 0, done.stderr
    assert "Destination crm: no campaign runs" in done.stdout + done.stderr
    assert "Destination files: no campaign runs" in done.stdout + done.stderr
    assert "Nothing was sent; add --send to send it." in done.stdout
    slip = segmentation(tmp_path, "export", "--destination", "file", **environment)
    assert slip.returncode == 1
    assert "known: crm, files. Did you mean files?" in slip.stderr
    unreadable = environment | {"AIRFLOW_CONN_SEGMENTATION_DESTINATION_CRM": "t0p-secret"}
    refused = segmentation(tmp_path, "export", **unreadable)
    assert refused.returncode == 1
    assert "write it like http://:TOKEN@" in refused.stderr
    assert "t0p-secret" not in refused.stdout + refused.stderr + done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param(["sql", "select 1"], 1, "Run `make demo` first", id="no demo here"),
        pytest.param(
            ["demo", "--shop", "corner"], 1, "choose one of complete_journey, cdnow, simulated", id="no such shop"
        ),
        pytest.param(["run", "--day", "31.10.2017"], 2, "write YYYY-MM-DD", id="no day"),
        pytest.param(["playbook", "check"], 0, "win_back: win-back", id="playbook"),
        pytest.param(["playbook", "check", "none.yml"], 1, "playbook none.yml: it cannot be read", id="no playbook"),
        pytest.param(["export"], 1, "name at least one, see docs/ACTIVATION.md", id="no destination"),
        pytest.param(["stop"], 0, "No demo was started here", id="nothing to stop"),
        pytest.param(["--help"], 0, "benchmarks", id="help"),
    ],
)
def test_a_slip_gets_a_line_and_no_traceback(arguments: list[str], code: int, told: str, tmp_path: Path) -> None:
    ended = segmentation(tmp_path, *arguments)
    assert ended.returncode == code, ended.stderr
    assert told in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
