"""Settings are read once, checked at once, and documented as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from segmentation.config import ActivationSettings, Settings, settings_doc
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


def test_destinations_are_read_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTATION_ACTIVATION__DESTINATIONS", '{"crm": "https://crm.example.com/hook"}')
    assert Settings().activation.destinations == {"crm": "https://crm.example.com/hook"}
    assert Settings().activation.send is False


@pytest.mark.parametrize(
    ("name", "url", "remedy"),
    [
        pytest.param("My CRM", "https://crm.example.com", "small letters", id="name"),
        pytest.param("crm", "ftp://crm.example.com", "https://, s3:// or file://", id="kind"),
        pytest.param("crm", "https://me:hush@crm.example.com", "connection segmentation_destination_crm", id="login"),
        pytest.param("crm", "http://crm.example.com/hush", "use https://", id="in the clear"),
        pytest.param("files", "file://exports", "three slashes", id="relative folder"),
        pytest.param("files", "file:///", "three slashes", id="root folder"),
        pytest.param("bucket", "s3:///folder", "lacks the host, or the bucket", id="no bucket"),
    ],
)
def test_a_destination_that_cannot_work_is_refused_without_showing_its_url(name: str, url: str, remedy: str) -> None:
    with pytest.raises(InvalidSetting, match=remedy) as refused:
        ActivationSettings(destinations={name: url})
    assert "hush" not in str(refused.value)


def test_the_settings_page_is_what_the_code_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "SETTINGS.md"
    assert page.read_text() == settings_doc(), "run: segmentation docs"
