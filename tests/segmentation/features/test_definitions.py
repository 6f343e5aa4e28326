"""The list of features is complete, unique and fit to be read aloud."""

from __future__ import annotations

from pathlib import Path

from segmentation.features.definitions import FEATURES

_DOCS = Path(__file__).parents[3] / "docs" / "FEATURES.md"


def test_names_and_words_are_unique() -> None:
    names = [feature.name for feature in FEATURES]
    assert len(set(names)) == len(names)
    said = [(feature.high, feature.low) for feature in FEATURES]
    assert len(set(said)) == len(said)


def test_words_are_short_and_without_jargon() -> None:
    for feature in FEATURES:
        for words in (feature.high, feature.low):
            assert words, feature.name
            assert len(words) <= 40, feature.name
            assert "_" not in words, feature.name


def test_every_feature_is_documented_as_defined() -> None:
    pages = _DOCS.read_text()
    for feature in FEATURES:
        assert f"| `{feature.name}` | {feature.unit} | {feature.window} | {feature.description} |" in pages, (
            feature.name
        )
