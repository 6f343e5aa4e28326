"""The Segments page shows customers' behaviour: to whom, what, and what it says when something is missing."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from segmentation.config import settings
from segmentation.demo.postgres import Server
from segmentation_airflow import segments_page
from segmentation_airflow.links import SEGMENTS_PREFIX

from ..segmentation.pages.conftest import HOSTILE, LAST, Shop, fill_later_tables, pages, shop  # noqa: F401 (fixtures)

READER_PATHS = [
    "/",
    "/map",
    "/segment/1",
    "/flows",
    "/runs",
    f"/report/{LAST}",
    "/static/page.css",
    "/static/vega-charts.min.js",
]
CUSTOMER_PATHS = [("GET", "/customer"), ("POST", "/customer"), ("GET", "/audiences"), ("POST", "/audience.csv")]


@pytest.fixture(scope="module")
def airflow_app(airflow_database: None) -> TestClient:
    """Airflow's own web app, with our plugin as Airflow loads it."""
    from airflow.api_fastapi.app import create_app

    return TestClient(create_app(), follow_redirects=False, raise_server_exceptions=False)


@pytest.fixture
def connected(
    server: Server, warehouse_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """Lead the page's connections to the test's warehouse; return the owner's engine."""
    monkeypatch.setenv("SEGMENTATION_HOME", str(tmp_path))
    monkeypatch.setenv("SEGMENTATION_CURRENCY", "EUR")
    for name, role in (("WAREHOUSE", "segmentation_publish"), ("MARKETING", "marketing")):
        monkeypatch.setenv(f"AIRFLOW_CONN_SEGMENTATION_{name}", server.url(warehouse_database, role))
    settings.cache_clear()
    segments_page._warehouse.cache_clear()
    owner = server.engine(warehouse_database)
    yield owner
    owner.dispose()
    settings.cache_clear()
    segments_page._warehouse.cache_clear()


@pytest.fixture
def published(connected: Engine, shop: Shop) -> Engine:  # noqa: F811
    """Fill the warehouse with nights; return the owner's engine."""
    (settings().reports).mkdir()
    (settings().reports / f"{LAST}.html").write_text("<h1>the report</h1>")
    return connected


def ask(client: TestClient, path: str, user: str = "admin", method: str = "GET", **form: str):
    passwords = json.loads(Path(os.environ["AIRFLOW_HOME"], "simple_auth_manager_passwords.json.generated").read_text())
    token = client.post("/auth/token", json={"username": user, "password": passwords[user]}).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    return client.request(method, SEGMENTS_PREFIX + path, headers=headers, data=form or None)


def logged(owner: Engine) -> list[tuple[object, ...]]:
    with owner.connect() as connection:
        query = "select username, kind, subject, as_of, rows from ops.downloads order by download_id"
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.mark.parametrize(("method", "path"), [*(("GET", path) for path in READER_PATHS), *CUSTOMER_PATHS])
def test_the_anonymous_get_nothing(airflow_app: TestClient, published: Engine, method: str, path: str) -> None:
    answer = airflow_app.request(method, SEGMENTS_PREFIX + path)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Not authenticated"}


@pytest.mark.parametrize("path", READER_PATHS)
def test_a_reader_sees_the_pages(airflow_app: TestClient, published: Engine, path: str) -> None:
    answer = ask(airflow_app, path, "reader")
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    # a report holds its scripts; it is sandboxed, away from the user's cookies
    assert ("unsafe-inline" in policy) == ("sandbox allow-scripts" in policy) == path.startswith("/report")


@pytest.mark.parametrize(("method", "path"), CUSTOMER_PATHS)
def test_a_reader_sees_no_single_customer(airflow_app: TestClient, published: Engine, method: str, path: str) -> None:
    answer = ask(airflow_app, path, "reader", method, customer_id="c5", segment="1")
    assert answer.status_code == 403
    assert "You may not see this" in answer.text
    assert "airflow roles add-perms" in answer.text
    assert logged(published) == []
    assert "Audiences" not in ask(airflow_app, "/", "reader").text


def test_who_may_not_read_the_dag_sees_nothing(
    airflow_app: TestClient, published: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments_page, "may_read", lambda user: False)
    for path in READER_PATHS:
        answer = ask(airflow_app, path)
        assert answer.status_code == 403, path
        assert "permission to read the DAG segmentation_nightly" in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/segment/1", "/segment/2", "/segment/3", "/map", "/flows", "/runs", "/audiences"]
)
def test_names_are_escaped_and_small_segments_have_no_figures(
    airflow_app: TestClient, published: Engine, path: str
) -> None:
    fill_later_tables(published)
    answer = ask(airflow_app, path)
    assert answer.status_code == 200
    for raw in ("<script>alert", "<img src", "<u>tea", "<b>tea", "<em>them", "Spring <mail", "customers <moved"):
        assert raw not in answer.text
    assert "777" not in answer.text
    assert "http://" not in answer.text.replace("http://www.w3.org", "")
    assert 'href="/' not in answer.text
    assert 'src="/' not in answer.text


def test_the_overview_says_what_matters(airflow_app: TestClient, published: Engine) -> None:
    before = ask(airflow_app, "/").text
    assert "No action is recommended yet." in before
    assert "The night of 2026-03-04 is held; the labels of 2026-03-03 stay in use." in before
    assert "30 % of customers &lt;moved&gt;" in before
    assert "Fewer than 10 customers, left out of all figures: The few." in before
    assert ">85<small>in 2 segments</small>" in before
    fill_later_tables(published)
    after = ask(airflow_app, "/").text
    assert "Keep &lt;em&gt;them&lt;/em&gt;" in after
    assert "proven" in after
    assert "Weekly buyers: born on 2026-03-03." in after
    assert "Is one of the first." not in after
    assert ">75<small>in 2 segments</small>" in ask(airflow_app, "/?day=2026-03-01").text


def test_a_segments_page_shows_actions_effects_and_moves(airflow_app: TestClient, published: Engine) -> None:
    fill_later_tables(published)
    page = ask(airflow_app, "/segment/1").text
    assert "4.50 EUR (1.50 to 7.50)" in page
    assert "Spring &lt;mail&gt;" in page
    assert "believed, not measured:" in page, "a prior is no effect"
    assert "green tea" in page
    assert "rare cup" not in page, "three buyers are too few"
    assert "by the number of customers" in page
    came = page[page.index("Who came") : page.index("Who went")]
    assert ">12<" in came
    assert "&lt;10" in came
    small_campaign = ask(airflow_app, "/segment/2").text
    assert "123.45" not in small_campaign, "nine controls are too few"
    assert "Fewer than 10 customers are in this segment" in ask(airflow_app, "/segment/3").text
    assert "Nobody is in this segment" in ask(airflow_app, "/segment/4").text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/segment/99", 404, "There is no segment 99."),
        ("/segment/x", 422, "This address is not understood"),
        ("/?day=2026-01-01", 404, "There is no published night of 2026-01-01. The newest one is 2026-03-03."),
        ("/?day=yesterday", 422, "A day is written YYYY-MM-DD"),
        ("/flows?first=2026-03-03&last=2026-03-01", 404, "The first day has to be before the last one"),
        ("/runs?day=2020-01-01", 404, "was never run"),
        ("/report/2020-01-01", 404, "segmentation report --day 2020-01-01"),
        ("/static/..%2F__init__.py", 404, ""),
        ("/static/README.md", 404, ""),
        ("/nosuch", 404, ""),
        ("/docs", 404, ""),
        ("/openapi.json", 404, ""),
    ],
)
def test_what_is_not_there_is_named(
    airflow_app: TestClient, published: Engine, path: str, status: int, said: str
) -> None:
    answer = ask(airflow_app, path)
    assert answer.status_code == status
    assert said in answer.text
    assert "Traceback" not in answer.text


def test_a_look_up_is_logged_without_the_id(
    airflow_app: TestClient, published: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    fill_later_tables(published)
    caplog.set_level(logging.DEBUG)
    page = ask(airflow_app, "/customer", method="POST", customer_id="c5").text
    assert "buys &lt;i&gt;often&lt;/i&gt;" in page
    assert "61.0 %" in page
    assert "&lt;script&gt;alert" in page
    assert "No customer with this id" in ask(airflow_app, "/customer", method="POST", customer_id="nobody'; --").text
    (user, kind, subject, as_of, rows), (*_, nothing) = logged(published)
    assert (user, kind, as_of, rows, nothing) == ("admin", "look-up", LAST, 1, 0)
    assert subject != "c5"
    assert len(str(subject)) == 32
    assert not [record for record in caplog.records if "nobody';" in record.getMessage()]


def test_an_audience_leaves_out_who_must_not_be_targeted_and_is_logged(
    airflow_app: TestClient, published: Engine
) -> None:
    fill_later_tables(published)
    answer = ask(airflow_app, "/audience.csv", method="POST", segment="1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="audience-segment-1-')
    head, *rows = answer.text.splitlines()
    ids = [row.partition(",")[0] for row in rows]
    assert head.startswith("customer_id,segment_name,since")
    assert len(ids) == 58
    assert "c1" not in ids, "holdout"
    assert "c3" not in ids, "refused to be contacted"
    assert "'=cmd" in ids, "no formula for a spreadsheet"
    assert logged(published) == [("admin", "audience", f"segment 1: {HOSTILE}", LAST, 58)]


def test_an_audience_of_an_item_comes_from_the_warehouses_function(airflow_app: TestClient, published: Engine) -> None:
    form = {"item": "green tea", "customers": "10"}
    assert ask(airflow_app, "/audience.csv", method="POST", **form).status_code == 404
    fill_later_tables(published)
    assert 'value="green tea"' in ask(airflow_app, "/audiences").text
    answer = ask(airflow_app, "/audience.csv", method="POST", **form)
    head, *rows = answer.text.splitlines()
    assert head == "customer_id,likelihood,segment_name"
    assert [row.split(",")[:2] for row in rows] == [["c5", "0.610000"]]
    unknown = ask(airflow_app, "/audience.csv", method="POST", item="greem tea", customers="1").text
    assert "The nearest categories are: green tea" in unknown
    assert ask(airflow_app, "/audience.csv", method="POST", item="x' or 1=1", customers="1").status_code == 404
    assert ask(airflow_app, "/audience.csv", method="POST", item="green tea", customers="-1").status_code == 404
    assert [row[1:] for row in logged(published)] == [("audience", "item green tea, 10 asked for", LAST, 1)]


def test_another_sites_form_is_refused(airflow_app: TestClient, published: Engine) -> None:
    airflow_app.headers["Sec-Fetch-Site"] = "cross-site"
    try:
        assert ask(airflow_app, "/audience.csv", method="POST", segment="1").status_code == 403
    finally:
        del airflow_app.headers["Sec-Fetch-Site"]
    assert logged(published) == []


@pytest.mark.parametrize("path", ["/", "/map", "/flows", "/runs", "/audiences"])
def test_before_the_first_night_the_page_says_so(airflow_app: TestClient, connected: Engine, path: str) -> None:
    answer = ask(airflow_app, path)
    assert answer.status_code == 200
    assert "No night has been published yet" in answer.text


def test_a_night_without_model_tastes_or_map(airflow_app: TestClient, published: Engine) -> None:
    with published.begin() as connection:
        connection.execute(
            text("update marts.segment_profiles set expected_spend_28d = null, expected_churn_28d = null")
        )
        connection.execute(text("truncate marts.customer_map, marts.segment_tastes"))
    assert "this night has no model" in ask(airflow_app, "/").text
    assert "This night has no map" in ask(airflow_app, "/map").text
    assert "This night has no tastes" in ask(airflow_app, "/segment/1").text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://marketing:secret@127.0.0.1:1/warehouse", "The warehouse does not answer"),
        (None, "connection is missing"),
    ],
    ids=["down", "no connection"],
)
def test_a_warehouse_that_is_down_is_said_in_words(
    airflow_app: TestClient, connected: Engine, monkeypatch: pytest.MonkeyPatch, url: str | None, said: str
) -> None:
    for name in ("WAREHOUSE", "MARKETING"):
        if url:
            monkeypatch.setenv(f"AIRFLOW_CONN_SEGMENTATION_{name}", url)
        else:
            monkeypatch.delenv(f"AIRFLOW_CONN_SEGMENTATION_{name}")
    for path in ("/", "/runs", "/segment/1"):
        answer = ask(airflow_app, path)
        assert answer.status_code == 503
        assert said in answer.text
        assert "labels of the last published night stay in use" in answer.text
        assert "secret" not in answer.text
        assert "127.0.0.1:1" not in answer.text


def test_an_unexpected_failure_shows_a_reference_and_no_trace(
    airflow_app: TestClient, published: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with published.begin() as connection:
        connection.execute(text("update marts.segment_profiles set top_categories = '[{\"lift\": 1}]'"))
    answer = ask(airflow_app, "/segment/1")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "reference" in answer.text
    assert "KeyError" not in answer.text


def test_the_page_reads_marts_as_marketing(airflow_app: TestClient, published: Engine) -> None:
    with segments_page.warehouse().reading() as reading:
        assert reading.connection.scalar(text("select current_user")) == "marketing"
        assert reading.connection.scalar(text("show transaction_read_only")) == "on"
        assert reading.connection.scalar(text("show statement_timeout")) == "15s"
    with segments_page.warehouse().reading_ops() as reading:
        assert reading.connection.scalar(text("show transaction_read_only")) == "on"


def test_the_page_is_in_airflows_navigation(airflow_app: TestClient, published: Engine) -> None:
    passwords = json.loads(Path(os.environ["AIRFLOW_HOME"], "simple_auth_manager_passwords.json.generated").read_text())
    token = airflow_app.post("/auth/token", json={"username": "admin", "password": passwords["admin"]}).json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    plugins = airflow_app.get("/api/v2/plugins", headers=headers).json()["plugins"]
    views = [view for plugin in plugins for view in plugin["external_views"] if view["name"] == "Segments"]
    assert [(view["href"], view["destination"]) for view in views] == [("segmentation/segments/", "nav")]
