"""A model of the registry, ready to foresee."""

from __future__ import annotations

from pathlib import Path

from segmentation.config import Settings
from segmentation.encoder.registry import Encoder, load_encoder
from segmentation.encoder.runtime import start_tensorflow
from segmentation.encoder.train_encoder import Predictor, predictor

#: The one model that this process keeps at hand, by registry and version.
_kept: dict[tuple[Path, str], tuple[Encoder, Predictor]] = {}


def stored_model(settings: Settings, version: str) -> tuple[Encoder, Predictor]:
    """Load a model and return it with its predictor.

    Parameters
    ----------
    settings : Settings
        The registry, TensorFlow's threads and the length of sequences are used.
    version : str
        The model.

    Raises
    ------
    FileNotFoundError, DamagedModel
        As of `registry.load_encoder`.
    """
    start_tensorflow(settings.encoder)
    encoder = load_encoder(settings.models, version)
    return encoder, predictor(encoder.network, settings.features.sequence_length)


def keep_model(settings: Settings, version: str, encoder: Encoder, predict: Predictor) -> None:
    """Keep a model that was just stored at hand, in the place of the one before."""
    _kept.clear()
    _kept[settings.models, version] = encoder, predict


def kept_model(settings: Settings, version: str) -> tuple[Encoder, Predictor]:
    """Return the model at hand; where it is another one, load this and keep it for the buckets to come."""
    if (settings.models, version) not in _kept:
        keep_model(settings, version, *stored_model(settings, version))
    return _kept[settings.models, version]
