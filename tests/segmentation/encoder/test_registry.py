"""The registry: a version names one content for ever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from segmentation.config import Settings
from segmentation.encoder.expectation import Expectation
from segmentation.encoder.heads import BEHAVIOUR_HEADS, HeadScale
from segmentation.encoder.registry import (
    Encoder,
    load_encoder,
    new_network,
    save_encoder,
    schema_hash,
    schema_of,
    why_not_continue,
)
from segmentation.encoder.runtime import start_tensorflow
from segmentation.encoder.windows import InputPreparation
from segmentation.errors import DamagedModel
from segmentation.features.prepare import FeaturePreparation

DAY = date(2026, 3, 31)


@pytest.fixture
def settings(tmp_path: Path, tiny: Callable[..., Settings]) -> Settings:
    return tiny(tmp_path)


@pytest.fixture
def encoder(settings: Settings) -> Encoder:
    """Build a small untrained model with two heads."""
    start_tensorflow(settings.encoder)
    preparation = InputPreparation(
        ("books",), 64, FeaturePreparation((), {}), np.zeros(2), np.ones(2), np.zeros(4), np.ones(4)
    )
    scale = HeadScale(BEHAVIOUR_HEADS[:2], np.zeros(2, np.float32), np.ones(2, np.float32))
    schema = schema_of(settings)
    spend = Expectation(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    return Encoder(schema, preparation, scale, new_network(schema, preparation, scale), {"spend": spend})


def test_what_is_loaded_is_what_was_saved(settings: Settings, encoder: Encoder) -> None:
    version = save_encoder(settings.models, DAY, encoder, {"parent_version": None})
    assert version.startswith("2026-03-31-")
    again = load_encoder(settings.models, version)
    for before, after in zip(encoder.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert again.scale.heads == encoder.scale.heads
    assert again.preparation.to_dict() == encoder.preparation.to_dict()
    assert again.expectations["spend"].to_dict() == encoder.expectations["spend"].to_dict()
    assert schema_hash(again.schema) == schema_hash(encoder.schema)
    assert why_not_continue(settings, version) == ""


@pytest.mark.parametrize("name", ["weights.npz", "schema.json", "preparation.json"])
def test_a_stored_model_that_was_changed_is_refused(settings: Settings, encoder: Encoder, name: str) -> None:
    version = save_encoder(settings.models, DAY, encoder, {})
    file = settings.models / version / name
    if name == "weights.npz":
        with np.load(file) as stored:
            weights = dict(stored)
        weights["000"] = weights["000"] + 1
        np.savez(file, **weights)
    else:
        file.write_text(file.read_text().replace("0", "1", 1))
    with pytest.raises(DamagedModel, match=f"model {version} in .* is not what was stored there"):
        load_encoder(settings.models, version)


def test_equal_content_is_stored_once_and_other_weights_are_another_version(
    settings: Settings, encoder: Encoder
) -> None:
    version = save_encoder(settings.models, DAY, encoder, {"run": 1})
    lineage = (settings.models / version / "lineage.json").read_bytes()
    assert save_encoder(settings.models, DAY, encoder, {"run": 2}) == version
    assert (settings.models / version / "lineage.json").read_bytes() == lineage
    weights = encoder.network.get_weights()
    weights[-1] = weights[-1] + 1e-6
    encoder.network.set_weights(weights)
    other = save_encoder(settings.models, DAY, encoder, {"run": 3})
    assert other != version
    assert sorted(folder.name for folder in settings.models.iterdir()) == sorted([version, other])


def test_another_held_out_share_is_a_reason_to_start_anew(
    settings: Settings, encoder: Encoder, tmp_path: Path, tiny: Callable[..., Settings]
) -> None:
    version = save_encoder(settings.models, DAY, encoder, {})
    assert "held-out share: 0.2 before, 0.25 now" in why_not_continue(tiny(tmp_path, held_out_share=0.25), version)


def test_new_features_are_named_in_the_reason(
    settings: Settings, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = save_encoder(settings.models, DAY, encoder, {})
    from segmentation.features import definitions

    changed = (*definitions.FEATURE_NAMES[1:], "moon_phase")
    monkeypatch.setattr(definitions, "FEATURE_NAMES", changed)
    reason = why_not_continue(settings, version)
    assert "features: added moon_phase, removed recency_days" in reason
