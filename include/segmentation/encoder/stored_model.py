"""A model of the registry, ready to foresee."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from segmentation.config import EncoderSettings, Settings
from segmentation.encoder.registry import Encoder, load_encoder
from segmentation.encoder.runtime import start_tensorflow
from segmentation.encoder.train_encoder import Predictor, predictor


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
    return _load(settings.models, version, settings.encoder, settings.features.sequence_length)


def kept_model(settings: Settings, version: str) -> tuple[Encoder, Predictor]:
    """Return the same, loaded once by a process that is asked for it again and again, bucket by bucket."""
    return _keep(settings.models, version, settings.encoder, settings.features.sequence_length)


def _load(
    models: Path, version: str, encoder_settings: EncoderSettings, sequence_length: int
) -> tuple[Encoder, Predictor]:
    start_tensorflow(encoder_settings)
    encoder = load_encoder(models, version)
    return encoder, predictor(encoder.network, sequence_length)


_keep = lru_cache(maxsize=1)(_load)
