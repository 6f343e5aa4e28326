"""Shapes and masks of the three families: what is padded must never be read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segmentation.config import EncoderSettings
from segmentation.encoder.network import build_network, outlook_loss
from segmentation.encoder.runtime import start_tensorflow
from segmentation.encoder.timelines import NUMBERS

B, T, E, F, H, Q = 5, 16, len(NUMBERS), 7, 8, 3


@pytest.fixture(params=["cnn_rnn", "cnn", "rnn"])
def network(request: pytest.FixtureRequest) -> Any:
    """Give the deep part weights as after training, not the zeros it starts from."""
    start_tensorflow(EncoderSettings())
    built = build_network(request.param, H, 2, F, Q)
    draws = np.random.default_rng(1)
    built.set_weights([draws.normal(0, 0.3, weights.shape) for weights in built.get_weights()])
    return built


def _batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draws = np.random.default_rng(2)
    codes = draws.integers(1, 4, (B, T, 2)).astype(np.int32)
    for customer in range(B):
        codes[customer, : 3 * customer] = 0
    numbers = np.where(codes[:, :, :1] > 0, draws.normal(size=(B, T, E)), 0).astype(np.float32)
    return codes, numbers, draws.normal(size=(B, F)).astype(np.float32)


def _outputs(network: Any, codes: np.ndarray, numbers: np.ndarray, static: np.ndarray) -> np.ndarray:
    return network([codes, numbers, static], training=False).numpy()


def test_shapes(network: Any) -> None:
    codes, numbers, static = _batch()
    assert _outputs(network, codes, numbers, static).shape == (B, Q)
    assert network.get_layer("embedding").output.shape == (None, H)


def test_padding_does_not_touch_the_output(network: Any) -> None:
    codes, numbers, static = _batch()
    expected = _outputs(network, codes, numbers, static)
    more = ((0, 0), (T, 0), (0, 0))
    np.testing.assert_allclose(
        _outputs(network, np.pad(codes, more), np.pad(numbers, more), static), expected, atol=1e-5
    )
    rubbish = np.where(codes[:, :, :1] > 0, numbers, 99).astype(np.float32)
    np.testing.assert_allclose(_outputs(network, codes, rubbish, static), expected, atol=1e-5)


def test_the_order_of_events_matters(network: Any) -> None:
    codes, numbers, static = _batch()
    turned = _outputs(network, codes[:1, ::-1], numbers[:1, ::-1], static[:1])
    assert np.abs(turned - _outputs(network, codes[:1], numbers[:1], static[:1])).max() > 1e-3


def test_a_customer_without_events_gets_a_finite_outlook(network: Any) -> None:
    _, _, static = _batch()
    outputs = _outputs(network, np.zeros((B, T, 2), np.int32), np.zeros((B, T, E), np.float32), static)
    assert np.isfinite(outputs).all()


def test_loss_leaves_unknown_targets_out() -> None:
    loss = outlook_loss(np.array([True, False, False]), np.array([0.5, 0.25, 0.25], np.float32))
    targets = np.array([[1.0, 2.0, np.nan], [0.0, np.nan, np.nan]], np.float32)
    outputs = np.array([[0.0, 0.0, 9.0], [0.0, 9.0, 9.0]], np.float32)
    # log 2 for an undecided chance at half the weight, the square of 2 at a quarter
    np.testing.assert_allclose(loss(targets, outputs).numpy(), [0.5 * np.log(2) + 1.0, 0.5 * np.log(2)], rtol=1e-6)
