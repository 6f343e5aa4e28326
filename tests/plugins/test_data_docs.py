"""The Data Docs name tables, columns and keys of the shop: for logged-in users only, and nothing else of the disk."""

import json
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from segmentation.config import settings
from segmentation_airflow.data_docs import URL_PREFIX, find_page

DAY = "2017-10-01"


@pytest.fixture(scope="module")
def airflow_app(airflow_database: None) -> TestClient:
    """Airflow's own web app, with our plugin as Airflow loads it."""
    from airflow.api_fastapi.app import create_app

    return TestClient(create_app(), follow_redirects=False)


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Pages of one day, and beside them what must never be served."""
    monkeypatch.setenv("SEGMENTATION_HOME", str(tmp_path))
    settings.cache_clear()
    pages = settings().data_docs / DAY
    pages.mkdir(parents=True)
    (pages / "index.html").write_text("<h1>all checks passed</h1>")
    (pages / "orders.html").write_text("<h1>orders</h1>")
    (tmp_path / "secret.txt").write_text("customer rows")
    (pages / "link.html").symlink_to(tmp_path / "secret.txt")
    (settings().data_docs / "2017-10-02").mkdir()
    yield pages
    settings.cache_clear()


def _login(client: TestClient, user: str) -> dict[str, str]:
    passwords = json.loads(Path(os.environ["AIRFLOW_HOME"], "simple_auth_manager_passwords.json.generated").read_text())
    answer = client.post("/auth/token", json={"username": user, "password": passwords[user]})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.mark.parametrize("path", [f"/{DAY}/", f"/{DAY}/orders.html", "/2017-12-31/", "/docs/", "/openapi.json/"])
def test_the_anonymous_get_nothing(airflow_app: TestClient, docs: Path, path: str) -> None:
    answer = airflow_app.get(URL_PREFIX + path)
    assert answer.status_code == 401
    assert "checks" not in answer.text


def test_a_reader_sees_the_pages_and_they_may_not_run_scripts(airflow_app: TestClient, docs: Path) -> None:
    reader = _login(airflow_app, "reader")
    index = airflow_app.get(f"{URL_PREFIX}/{DAY}/", headers=reader)
    assert index.status_code == 200
    assert index.text == "<h1>all checks passed</h1>"
    assert airflow_app.get(f"{URL_PREFIX}/{DAY}/orders.html", headers=reader).text == "<h1>orders</h1>"
    assert "default-src 'none'" in index.headers["Content-Security-Policy"]
    assert index.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        f"/{DAY}/..%2F..%2Fsecret.txt",
        f"/{DAY}/%2e%2e/%2e%2e/secret.txt",
        f"/{DAY}/link.html",
        f"/{DAY}/%2Fetc%2Fpasswd",
        f"/{DAY}/nosuch.html",
        f"/{DAY}/orders.html%00.txt",
        pytest.param(f"/{DAY}/" + "x" * 5000, id="name too long for a disk"),
    ],
)
def test_nothing_outside_the_day_is_served(airflow_app: TestClient, docs: Path, path: str) -> None:
    answer = airflow_app.get(URL_PREFIX + path, headers=_login(airflow_app, "reader"))
    assert answer.status_code == 404
    assert answer.json() == {"detail": f"The Data Docs of business day {DAY} have no such page."}


@pytest.mark.parametrize("day", ["2017-10-02", "2017-10-03"])
def test_a_day_without_pages_says_what_is_missing(airflow_app: TestClient, docs: Path, day: str) -> None:
    answer = airflow_app.get(f"{URL_PREFIX}/{day}/", headers=_login(airflow_app, "reader"))
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith(f"There are no Data Docs of business day {day}: validate has not run")


def test_what_is_no_day_is_no_page(airflow_app: TestClient, docs: Path) -> None:
    assert airflow_app.get(f"{URL_PREFIX}/docs/", headers=_login(airflow_app, "reader")).status_code == 422


def test_airflow_loads_the_plugin_without_complaint(airflow_app: TestClient) -> None:
    admin = _login(airflow_app, "admin")
    assert airflow_app.get("/api/v2/plugins/importErrors", headers=admin).json()["total_entries"] == 0
    names = [plugin["name"] for plugin in airflow_app.get("/api/v2/plugins", headers=admin).json()["plugins"]]
    assert names.count("segmentation") == 1


def test_a_folder_means_its_index(docs: Path) -> None:
    assert find_page(docs.parent, date(2017, 10, 1), "") == docs / "index.html"
    assert find_page(docs.parent, date(2017, 10, 2), "") is None
