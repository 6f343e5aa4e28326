"""The demo's Airflow: its environment, its four processes, and a client for its REST API."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psutil

from segmentation.catalog import EXTRACT_ROLE, MARKETING_ROLE, PUBLISH_ROLE
from segmentation.demo import postgres
from segmentation.demo.postgres import (
    AIRFLOW_DATABASE,
    AIRFLOW_ROLE,
    SOURCE_DATABASE,
    WAREHOUSE_DATABASE,
    is_free,
    write_private,
)
from segmentation.demo.setup import set_up_server
from segmentation.errors import SegmentationError

#: The checkout that holds dags/, plugins/ and include/.
ROOT = Path(__file__).resolve().parents[3]
PROCESSES = ("api-server", "scheduler", "dag-processor", "triggerer")
_AUTH_MANAGER = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
_STATE = "stack.json"
_START_TIMEOUT_S = 180
_GET_ATTEMPTS = 6


class StackDidNotStart(SegmentationError):
    """Airflow's processes did not come up."""

    def __init__(self, problem: str, logs: Path) -> None:
        super().__init__(f"Airflow did not start: {problem}. Its logs are in {logs}; `make stop` ends what is left.")


class AirflowGone(SegmentationError):
    """Airflow stopped answering while it was watched."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"Airflow at {url} no longer answers; was it stopped? What is published stays. Run the demo again to go on."
        )


@dataclass(frozen=True)
class Stack:
    """One demo: an embedded Postgres and an Airflow beside it, in one folder.

    Attributes
    ----------
    home : Path
        Folder of everything the demo writes.
    api_port : int
        Port of Airflow's UI and REST API on 127.0.0.1.
    pids : dict of str to tuple of int and float
        Airflow's processes, each the leader of its own group: number, and when it began, since numbers are
        given away again.
    settings : dict of str to str
        `SEGMENTATION_…` variables of this shop.
    """

    home: Path
    api_port: int
    password: str
    pids: dict[str, tuple[int, float]]
    settings: dict[str, str]

    @property
    def server(self) -> postgres.Server:
        """The embedded Postgres, started if it is not up."""
        return postgres.start(self.home / "postgres" / "data")

    @property
    def logs(self) -> Path:
        """Folder of the logs of Airflow's processes."""
        return self.home / "airflow" / "logs"

    @property
    def url(self) -> str:
        """Address of Airflow's UI."""
        return f"http://127.0.0.1:{self.api_port}"

    def save(self) -> None:
        """Keep what is needed to find this stack again; readable by the owner only."""
        write_private(self.home / _STATE, asdict(self) | {"home": str(self.home)})

    def environment(self) -> dict[str, str]:
        """Return the environment of Airflow's processes: connections, settings, Airflow's configuration."""
        server = self.server
        airflow = self.home / "airflow"
        keys = json.loads((airflow / "keys.json").read_text())
        return (
            os.environ
            | self.settings
            | {
                "SEGMENTATION_HOME": str(self.home / "data"),
                # the demo is this machine's own, whatever is set here for the real nights
                "SEGMENTATION_LAKE": "",
                "AIRFLOW_CONN_SEGMENTATION_SOURCE": server.url(SOURCE_DATABASE, EXTRACT_ROLE),
                "AIRFLOW_CONN_SEGMENTATION_WAREHOUSE": server.url(WAREHOUSE_DATABASE, PUBLISH_ROLE),
                "AIRFLOW_CONN_SEGMENTATION_MARKETING": server.url(WAREHOUSE_DATABASE, MARKETING_ROLE),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
                "PYTHONUNBUFFERED": "1",
                "AIRFLOW_HOME": str(airflow),
                "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
                "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__PARALLELISM": "2",
                "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
                "AIRFLOW__CORE__AUTH_MANAGER": _AUTH_MANAGER,
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(airflow / "users.json"),
                "AIRFLOW__API__HOST": "127.0.0.1",
                "AIRFLOW__API__PORT": str(self.api_port),
                "AIRFLOW__API__BASE_URL": self.url,
                "AIRFLOW__API__WORKERS": "1",
                "AIRFLOW__API__SECRET_KEY": keys["api"],
                "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.url(AIRFLOW_DATABASE, AIRFLOW_ROLE).replace(
                    "postgresql://", "postgresql+psycopg2://"
                ),
                "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
                "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.logs),
                "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            }
        )

    def is_up(self) -> bool:
        """Tell whether every one of Airflow's processes lives."""
        return bool(self.pids) and all(_leader(*known) for known in self.pids.values())

    def anything_runs(self) -> bool:
        """Tell whether any of Airflow's processes or the embedded Postgres lives."""
        return any(_leader(*known) for known in self.pids.values()) or postgres.is_running(
            self.home / "postgres" / "data"
        )


def open_stack(home: Path) -> Stack | None:
    """Return the stack kept in ``home``, or None if there is none."""
    state = home / _STATE
    if not state.exists():
        return None
    kept = json.loads(state.read_text())
    pids = {name: (int(pid), float(began)) for name, (pid, began) in kept["pids"].items()}
    return Stack(**(kept | {"home": home, "pids": pids}))


def prepare(home: Path, settings: dict[str, str]) -> Stack:
    """Make (or find) the stack of ``home``: Postgres up, databases, roles, migrated warehouse and metadata.

    Parameters
    ----------
    home : Path
        Folder of the demo.
    settings : dict of str to str
        `SEGMENTATION_…` variables of this shop.

    Raises
    ------
    StackDidNotStart
        If Airflow's metadata database cannot be migrated.
    """
    home = home.resolve()
    kept = open_stack(home)
    airflow = home / "airflow"
    (airflow / "logs").mkdir(parents=True, exist_ok=True)
    if kept is None:
        stack = Stack(home, 0, secrets.token_urlsafe(12), {}, settings)
        write_private(
            airflow / "keys.json",
            {
                "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                "api": secrets.token_hex(16),
                "jwt": secrets.token_hex(32),
            },
        )
        write_private(airflow / "users.json", {"admin": stack.password})
    else:
        stack = replace(kept, settings=settings)
    if not stack.is_up():
        stack = replace(stack, api_port=_free_port(8080), pids={})
    stack.save()

    set_up_server(stack.server)
    if not stack.is_up():
        migrated = subprocess.run(
            ["airflow", "db", "migrate"], env=stack.environment(), capture_output=True, text=True, check=False
        )
        if migrated.returncode != 0:
            raise StackDidNotStart(f"airflow db migrate failed: {migrated.stderr.strip()[-500:]}", stack.logs)
    return stack


def start_airflow(stack: Stack) -> Stack:
    """Start Airflow's processes, wait until the API answers and the DAG is known; running ones are kept.

    Raises
    ------
    StackDidNotStart
        If a process dies or the API does not answer in time.
    """
    if stack.is_up():
        return stack
    environment = stack.environment()
    pids = {}
    for name in PROCESSES:
        with (stack.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                ["airflow", name],
                env=environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        pids[name] = (process.pid, psutil.Process(process.pid).create_time())
    stack = replace(stack, pids=pids)
    stack.save()
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        for name, known in pids.items():
            if not _leader(*known):
                raise StackDidNotStart(f"{name} ended by itself", stack.logs)
        try:
            health = httpx.get(f"{stack.url}/api/v2/monitor/health", timeout=5).json()
            if all(
                (health[part] or {}).get("status") == "healthy" for part in ("scheduler", "dag_processor", "triggerer")
            ):
                # another Airflow may have taken the port meanwhile: it would refuse this password
                Api(stack)
                return stack
        except (httpx.HTTPError, ValueError, KeyError):
            pass
        time.sleep(0.5)
    raise StackDidNotStart(f"no healthy answer at {stack.url} within {_START_TIMEOUT_S} s", stack.logs)


def stop(stack: Stack) -> None:
    """End Airflow's processes, with all they started, and the embedded Postgres."""
    leaders = [leader for known in stack.pids.values() if (leader := _leader(*known))]
    members = [member for leader in leaders for member in _group(leader)]
    for leader in leaders:
        _signal_group(leader.pid, signal.SIGTERM)
    _, left = psutil.wait_procs(members, timeout=15)
    for member in left:
        member.kill()
    postgres.stop(stack.home / "postgres" / "data")
    replace(stack, pids={}).save()


def memory_bytes(stack: Stack) -> int:
    """Return the memory that Airflow's processes and their tasks use now, bytes (proportional share)."""
    total = 0
    for leader in (leader for known in stack.pids.values() if (leader := _leader(*known))):
        for member in _group(leader):
            try:
                total += member.memory_full_info().pss
            except (psutil.Error, AttributeError):
                continue
    return total


class Api:
    """Airflow's REST API, logged in as the demo's admin."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.client = httpx.Client(base_url=f"{stack.url}/api/v2", timeout=60)
        self._log_in()

    def _log_in(self) -> None:
        answer = httpx.post(
            f"{self.stack.url}/auth/token", json={"username": "admin", "password": self.stack.password}, timeout=60
        )
        answer.raise_for_status()
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method: str, path: str, **content: Any) -> Any:
        """Call the API and return the decoded answer.

        Raises
        ------
        httpx.HTTPStatusError
            If the API refuses what is asked.
        AirflowGone
            If it does not answer, or answers 5xx every time.
        """
        # a busy machine makes the API slow or lets it answer 500 for a moment; asking again changes nothing
        attempts = _GET_ATTEMPTS if method == "GET" else 1
        for attempt in range(1, attempts + 1):
            try:
                answer = self.client.request(method, path, **content)
                if answer.status_code == 401:
                    self._log_in()
                    answer = self.client.request(method, path, **content)
                answer.raise_for_status()
                break
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                refused = isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500
                if refused:
                    raise
                if attempt == attempts:
                    raise AirflowGone(self.stack.url) from error
                time.sleep(attempt)
        return answer.json() if answer.content else None

    def pages(self, path: str, key: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a paged listing."""
        offset = 0
        while True:
            page = self.call("GET", path, params={**parameters, "limit": 100, "offset": offset})
            yield from page[key]
            offset += 100
            if offset >= page["total_entries"]:
                return


def _leader(pid: int, began: float) -> psutil.Process | None:
    """Return the living process of that number that began then; None if it ended or the number is another's now."""
    try:
        found = psutil.Process(pid)
        same = abs(found.create_time() - began) < 1 and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return found if same else None


def _group(leader: psutil.Process) -> list[psutil.Process]:
    try:
        return [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _free_port(preferred: int) -> int:
    for port in range(preferred, preferred + 100):
        if is_free(port):
            return port
    raise OSError(f"no free port on 127.0.0.1 from {preferred} to {preferred + 99}")
