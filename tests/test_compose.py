"""Checks of the compose file and the image that need no container engine."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]
SPARK = {"spark-master", "spark-worker"}
EXAMPLE = dict(
    line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if line and not line.startswith("#")
)


def test_every_variable_is_in_the_example_and_every_example_is_used() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE))
    assert used == set(EXAMPLE)


def test_no_password_or_key_has_a_default() -> None:
    secret = [name for name in EXAMPLE if re.search("PASSWORD|KEY|SECRET", name)]
    assert len(secret) >= 8
    for name in secret:
        assert EXAMPLE[name] == ""
        for use in re.findall(r"(?<!\$)\$\{" + name + r"[^}]*\}", COMPOSE):
            assert use == "${" + name + ":?set it in .env}", f"{use} would start with an empty or default secret"


def test_the_stack_is_whole_and_waits_for_its_parts() -> None:
    always = {"postgres", "setup", "api-server", "scheduler", "dag-processor", "triggerer"}
    assert {name for name, service in SERVICES.items() if "profiles" not in service} == always
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["spark"]} == SPARK
    assert set(SERVICES) == always | SPARK
    volumes = set(yaml.safe_load(COMPOSE)["volumes"])
    for name, service in SERVICES.items():
        assert "healthcheck" in service or name == "setup", f"{name} has no health check"
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in volumes or volume.startswith("${MAPPING_DIRECTORY:-./")


def test_the_default_mapping_folder_holds_a_mapping() -> None:
    folder = re.search(r"\$\{MAPPING_DIRECTORY:-(.+?)\}", COMPOSE)
    assert folder
    assert (ROOT / folder[1] / "mapping.yml").exists()


def test_no_container_runs_as_root_or_can_change_its_image() -> None:
    assert re.search(r"^USER airflow$", DOCKERFILE, re.MULTILINE)
    for name, service in SERVICES.items():
        assert service["user"] == ("postgres" if name == "postgres" else "50000")
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
        assert "cap_add" not in service


def test_spark_works_on_the_lake_and_is_told_no_secret() -> None:
    port = SERVICES["spark-master"]["command"][SERVICES["spark-master"]["command"].index("--port") + 1]
    master = f"spark://spark-master:{port}"
    assert SERVICES["scheduler"]["environment"]["SEGMENTATION_SPARK__MASTER"] == master
    assert SERVICES["spark-worker"]["command"][-1] == master
    for name in SPARK:
        assert not SERVICES[name]["environment"]
        assert not SERVICES[name]["env_file"]
        assert SERVICES[name]["volumes"] == SERVICES["scheduler"]["volumes"][:1]
        assert "ports" not in SERVICES[name]


def test_the_code_in_the_image_does_not_belong_to_who_runs_it() -> None:
    assert "--chown" not in DOCKERFILE
    assert DOCKERFILE.index("pip install --no-cache-dir --no-deps") < DOCKERFILE.index("USER airflow")


def test_what_airflow_writes_has_a_place() -> None:
    home, written = "/opt/airflow", SERVICES["scheduler"]
    assert f"AIRFLOW_HOME={home}" in DOCKERFILE
    places = [volume.split(":")[1] for volume in written["volumes"]] + [tmp.split(":")[0] for tmp in written["tmpfs"]]
    data = re.search(r"SEGMENTATION_HOME=(\S+)", DOCKERFILE)
    assert data
    assert {data[1], home, f"{home}/logs", "/tmp"} <= set(places)  # noqa: S108


def test_nothing_listens_beyond_this_machine_unless_told() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8080:8080"]
    for file in (*ROOT.glob("include/segmentation/demo/*.py"), ROOT / "docker-compose.yml", ROOT / "Dockerfile"):
        assert "0.0.0.0" not in file.read_text(), file  # noqa: S104
    assert '"AIRFLOW__API__HOST": "127.0.0.1"' in (ROOT / "include/segmentation/demo/stack.py").read_text()


def test_every_package_is_pinned_by_hash() -> None:
    lines = (ROOT / "requirements.txt").read_text().replace("\\\n", " ").splitlines()
    packages = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert len(packages) > 150
    for package in packages:
        assert re.match(r"\S+==\S+ ", package), package
        assert "--hash=sha256:" in package, package
    assert "--require-hashes -r requirements.txt" in DOCKERFILE


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_nothing_is_unpickled() -> None:
    """A pickle runs whatever it was told to: models and files are numbers and JSON."""
    banned = ("pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal")
    files = [file for folder in ("include", "plugins", "dags") for file in (ROOT / folder).rglob("*.py")]
    for file in files:
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] in banned], file
        for name, call in _calls(tree):
            assert not name.endswith(("read_pickle", "load_model", "yaml.load", "yaml.unsafe_load")), (file, name)
            assert not [key for key in call.keywords if key.arg == "allow_pickle"], (file, name)


def test_what_the_image_copies_exists() -> None:
    for line in re.findall(r"^COPY (?:--chown=\S+ )?(.+)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source


def commands() -> list[list[str]]:
    found = []
    for service in SERVICES.values():
        command = service.get("command", [])
        lines = command[-1].replace("\\\n", " ").splitlines() if command[:1] == ["bash"] else [shlex.join(command)]
        found += [shlex.split(line) for line in lines if line.strip()]
        check = service.get("healthcheck", {}).get("test", [])
        found += [check[1:]] if check[1:2] == ["airflow"] else []
    return found


@pytest.mark.parametrize("command", commands(), ids=lambda command: " ".join(command[:3]))
def test_every_command_and_option_starts_in_a_plain_shell(command: list[str], tmp_path: Path) -> None:
    words = [word for word in command if not word.startswith("-")]
    if words[0] == "spark-class" and not shutil.which("java"):
        pytest.skip("Spark's own programs need Java 17 or 21 (Debian: apt-get install default-jre-headless)")
    depth = 3 if words[:2] in (["airflow", "db"], ["airflow", "users"], ["airflow", "jobs"]) else 2
    programs = str(Path(sys.executable).parent)
    shown = subprocess.run(
        [f"{programs}/{words[0]}", *words[1:depth], "--help"],
        env=os.environ
        | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr[-1000:]
    for option in (word for word in command if word.startswith("--")):
        # Java's programs tell on stderr
        assert option in shown.stdout + shown.stderr, f"{' '.join(words[:depth])} has no option {option}"
