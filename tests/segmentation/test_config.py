"""Settings are read once, checked at once, and documented as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from segmentation.config import Settings, settings_doc
from segmentation.errors import InvalidSetting


def test_a_nested_variable_sets_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTATION_EXTRACT__LATE_DAYS", "3")
    assert Settings().extract.late_days == 3


def test_an_unknown_timezone_is_refused_with_a_remedy() -> None:
    with pytest.raises((InvalidSetting, ValidationError), match="Use one like Europe/Berlin"):
        Settings(timezone="Berlin")


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTATION_EXTRACT__MAPPING", "")
    assert Settings().extract.mapping is None


def test_a_value_out_of_bounds_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTATION_CLUSTERS__K_MIN", "1")
    with pytest.raises(ValidationError, match=r"clusters\.k_min"):
        Settings()


def test_the_settings_page_is_what_the_code_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "SETTINGS.md"
    assert page.read_text() == settings_doc(), "run: segmentation docs"
