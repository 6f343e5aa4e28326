"""The Segments page in a real browser and a running Airflow: charts are drawn, under the strict policy, offline."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from segmentation.demo.postgres import Server

from ..segmentation.pages.conftest import Shop, fill_later_tables, pages, shop  # noqa: F401 (fixtures)

playwright = pytest.importorskip(
    "playwright.sync_api", reason="needs the Python package playwright: pip install playwright"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, for example: apt-get install chromium"),
]
ROOT = Path(__file__).parents[2]
_ALL_DRAWN = "[...document.querySelectorAll('[data-chart]')].every(place => place.dataset.drawn)"


@pytest.fixture
def airflow(server: Server, warehouse_database: str, shop: Shop, tmp_path: Path) -> Iterator[str]:  # noqa: F811
    """Run an API server of Airflow with our plugin on the published warehouse; return its address."""
    owner = server.engine(warehouse_database)
    fill_later_tables(owner)
    owner.dispose()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "users.json").write_text(json.dumps({"admin": "secret"}))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "SEGMENTATION"))},
        "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in ("include", "plugins", "dags")),
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(tmp_path / "users.json"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": "x" * 64,
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_SEGMENTATION_WAREHOUSE": server.url(warehouse_database, "segmentation_publish"),
        "AIRFLOW_CONN_SEGMENTATION_MARKETING": server.url(warehouse_database, "marketing"),
        "SEGMENTATION_HOME": str(tmp_path / "home"),
        "SEGMENTATION_CURRENCY": "EUR",
    }
    command = [sys.executable, "-m", "airflow"]
    subprocess.run([*command, "db", "migrate"], env=environment, check=True, capture_output=True)
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen([*command, "api-server"], env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                httpx.get(f"{address}/api/v2/version", timeout=2)
                break
            except httpx.HTTPError:
                assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]
                time.sleep(1)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


@pytest.fixture
def page(airflow: str) -> Iterator[Any]:
    """Return a browser's page, logged in as admin, that keeps what the console says and where requests go."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 900}, base_url=airflow)
        page.goto("/auth/login")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", "secret")
        page.click("button[type=submit]")
        page.wait_for_url(f"{airflow}/")
        page.said, page.asked = [], set()
        page.on("console", lambda message: page.said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.add(request.url))
        yield page
        browser.close()


def test_the_page_works_in_airflow(page: Any, airflow: str) -> None:
    page.goto("/")
    page.get_by_role("link", name="Segments").click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", name="Segments on 2026-03-03").wait_for()
    frame.get_by_role("link", name="Weekly buyers").click()
    frame.get_by_role("heading", name="Compared with the shop").wait_for()
    frame.get_by_role("link", name="Flows").click()
    frame.get_by_role("heading", name="Flows between segments").wait_for()

    own = "/segmentation/segments/"
    page.said.clear()
    for path, charts in {"": 3, "map": 1, "segment/1": 5, "flows": 1, "runs": 0, "customer": 0, "audiences": 0}.items():
        page.goto(own + path)
        page.wait_for_function(_ALL_DRAWN)
        drawn = page.locator("[data-chart] :is(svg, canvas)")
        assert drawn.count() == charts, path
        # a table stands in for each chart
        assert page.locator("figure table, table").count() >= min(charts, 1), path
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{path} is too wide"
    assert page.said == [], "neither an error nor a breach of the Content-Security-Policy"
    assert {url for url in page.asked if not url.startswith((airflow, "blob:", "data:"))} == set()


def test_it_follows_airflows_colours(page: Any) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    page.goto("/segmentation/segments/")
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    page.reload()
    dark = page.evaluate(background)
    assert light != dark
    # what was chosen in Airflow's UI counts before the system's
    page.evaluate("localStorage.setItem('theme', 'light')")
    page.reload()
    assert page.evaluate(background) == light


def test_it_works_by_keyboard_and_downloads(page: Any) -> None:
    page.goto("/segmentation/segments/audiences")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "BUTTON":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("customer_id,")
    assert len(lines) == 1 + 58
