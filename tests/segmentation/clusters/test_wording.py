"""Figures are said as a marketer would."""

from __future__ import annotations

import pytest

from segmentation.clusters import wording
from segmentation.features.definitions import FEATURE_NAMES


def test_only_features_that_exist_have_words() -> None:
    assert set(wording.WORDS) <= set(FEATURE_NAMES)


@pytest.mark.parametrize("name", list(wording.WORDS))
def test_every_sentence_holds_its_figure(name: str) -> None:
    assert wording.figure(name, 0.37) in wording.said(name, 0.37)


def test_traits_fit_into_a_name() -> None:
    traits = [trait for name in wording.WORDS for trait in (wording.trait(name, True), wording.trait(name, False))]
    assert max(map(len, traits)) <= 24
    assert not [trait for trait in traits if trait != trait.lower()]
