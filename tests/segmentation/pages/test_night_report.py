"""The report is one file that needs nothing else, holds no small cell, and is replaced whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from segmentation.cli import app
from segmentation.config import Settings
from segmentation.errors import NotThere
from segmentation.pages.night_report import keep_report, night_report, report_file

from .conftest import FIRST, HOSTILE, LAST, Shop


def test_a_report_is_self_contained_and_escapes_what_the_data_holds(shop: Shop) -> None:
    html = night_report(shop.pages, LAST, "EUR")
    markup = re.sub(r"<script>.*?</script>|<style>.*?</style>", "", html, flags=re.DOTALL)
    assert HOSTILE not in markup
    assert "&lt;script&gt;alert(1)" in markup
    assert not re.search(r"(src|href)=[\"'](?!#)", markup)
    assert "777" not in markup
    assert markup.count("<h1") == 4  # the night, two segments that may be shown, the run
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    assert "unsafe" not in policy[1]
    assert policy[1].count("sha256-") == 3


def test_a_day_that_is_not_published_is_named(shop: Shop) -> None:
    with pytest.raises(NotThere, match="2026-04-01"):
        night_report(shop.pages, LAST.replace(month=4, day=1), "")


def test_a_report_that_fails_does_not_fail_the_night(
    shop: Shop, make_settings: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings()
    keep_report(settings, FIRST, shop.engine)
    kept = report_file(settings, FIRST)
    before = kept.read_bytes()
    with shop.engine.begin() as connection:
        connection.execute(text("delete from marts.segment_profiles where as_of = :day"), {"day": FIRST})
    keep_report(settings, FIRST, shop.engine)
    assert kept.read_bytes() == before
    assert f"segmentation report --day {FIRST}" in caplog.text
    assert [path.name for path in Path(settings.reports).iterdir()] == [kept.name]


def test_the_same_night_gives_the_same_bytes(shop: Shop) -> None:
    assert night_report(shop.pages, LAST, "EUR") == night_report(shop.pages, LAST, "EUR")


def test_the_command_writes_it(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "night.html"
    url = shop.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("AIRFLOW_CONN_SEGMENTATION_WAREHOUSE", url)
    answer = CliRunner().invoke(app, ["report", "--day", str(LAST), "--to", str(target)])
    assert answer.exit_code == 0, answer.output
    assert target.read_text().startswith("<!doctype html>")
