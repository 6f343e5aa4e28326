"""Where Airflow lives during tests.

Airflow reads this once, when it is first imported, and would else write into the developer's ~/airflow; hence
before any test module, and a folder of its own for each test process.
"""

import atexit
import os
import secrets
import shutil
import tempfile
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_home = tempfile.mkdtemp(prefix="airflow-home-")


def _remove_home(owner: int) -> None:
    # Airflow runs tasks in forked processes, and they run this too when they end
    if os.getpid() == owner:
        shutil.rmtree(_home, ignore_errors=True)


atexit.register(_remove_home, os.getpid())

for _name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": _home,
    "AIRFLOW__CORE__DAGS_FOLDER": str(_HERE / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(_HERE / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,reader:viewer",
    "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's metadata database of this test process, as SQLite."""
    from airflow.utils.db import initdb

    initdb()
