"""The network: a sequence encoder of one of three families, fused wide and deep with the static features."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from segmentation.encoder.linear import BENDS
from segmentation.encoder.timelines import EVENT_VOCABULARY, FIRST_CATEGORY, NUMBERS, STRIDE

#: Part of the schema hash: raised when the layers below change, so that old weights are not poured into them.
NETWORK_REVISION = 2

_DILATIONS = (1, 2, 4, 8, 16, 32)
_KERNEL = 8
_DROPOUT = 0.2


def build_network(family: str, width: int, categories: int, features: int, heads: int) -> Any:
    """Build the Keras network.

    Parameters
    ----------
    family : str
        ``cnn``: dilated causal convolutions. ``rnn``: GRU. ``cnn_rnn``: strided convolution, then GRU.
    width : int
        H, width of the embedding.
    categories : int
        Categories that have a name in the vocabulary.
    features : int
        F, static features.
    heads : int
        Q, heads.

    Returns
    -------
    keras.Model
        Inputs ``codes`` int32 (B, T, 2), ``numbers`` float32 (B, T, E) and ``static`` float32 (B, F); T is
        free but a multiple of `STRIDE`. Output float32 (B, Q): standardised targets, log-odds for
        chances. Layer ``embedding`` gives (B, H), layer ``linear`` the wide path from the features bent at the
        weights of layer ``bends`` (see `linear.bent`), layer ``earned`` what the deep part counts in each head, 1 or 0.
        Padding (code 0, in front) does not touch the output.

    Raises
    ------
    ValueError
        If the family has another name.

    Examples
    --------
    >>> build_network("lstm", 8, 0, 3, 2)
    Traceback (most recent call last):
    ...
    ValueError: unknown family 'lstm': use cnn_rnn, cnn or rnn
    """
    if family not in _ENCODERS:
        raise ValueError(f"unknown family {family!r}: use cnn_rnn, cnn or rnn")
    import keras
    from keras import layers, ops

    codes = keras.Input((None, 2), dtype="int32", name="codes")
    numbers = keras.Input((None, len(NUMBERS)), name="numbers")
    static = keras.Input((features,), name="static")

    event, category = codes[:, :, 0], codes[:, :, 1]
    there = ops.cast(ops.not_equal(event, 0), "float32")[:, :, None]
    vectors = layers.Concatenate()(
        [
            layers.Embedding(len(EVENT_VOCABULARY) + 1, 8, name="event_type")(event),
            layers.Embedding(categories + FIRST_CATEGORY, 8, name="category")(category),
            numbers,
        ]
    )
    vectors = layers.Dense(width, activation="gelu", name="events")(vectors) * there
    read = _ENCODERS[family](vectors, there, width)
    embedding = layers.Dense(width, activation="tanh", name="embedding")(read)

    fused = layers.Concatenate()([embedding, layers.Dense(width, activation="gelu", name="features")(static)])
    fused = layers.Dropout(_DROPOUT)(fused)
    fused = layers.Dense(width, activation="gelu", name="fused")(fused)
    # starts at zero: before training the network is the linear path, and the deep part learns what that leaves
    deep = layers.Dense(heads, kernel_initializer="zeros", use_bias=False, name="residual")(fused)
    deep = _earned(heads)(deep)
    # solved, not trained: steps of a size that suits the deep part only undo the closed form
    wide = layers.Dense(heads, kernel_initializer="zeros", trainable=False, name="linear")(_bends(features)(static))
    return keras.Model([codes, numbers, static], layers.Add(name="outlook")([wide, deep]), name=family)


def _bends(features: int) -> Any:
    from keras import layers, ops

    class Bends(layers.Layer):
        """`linear.bent` with knots that training leaves where they are."""

        def __init__(self) -> None:
            super().__init__(name="bends")
            self.knots = self.add_weight(shape=(len(BENDS), features), initializer="zeros", trainable=False)

        def call(self, static: Any) -> Any:
            above = [ops.relu(static - self.knots[place]) for place in range(len(BENDS))]
            return ops.concatenate([static, *above], axis=1)

    return Bends()


def _earned(heads: int) -> Any:
    from keras import layers

    class Earned(layers.Layer):
        """The deep part of heads that it does not help is multiplied by zero, and gets no gradient."""

        def __init__(self) -> None:
            super().__init__(name="earned")
            self.share = self.add_weight(shape=(heads,), initializer="ones", trainable=False)

        def call(self, deep: Any) -> Any:
            return deep * self.share

    return Earned()


def _cnn(vectors: Any, there: Any, width: int) -> Any:
    from keras import layers

    for dilation in _DILATIONS:
        seen = layers.Conv1D(width, 3, dilation_rate=dilation, padding="causal", activation="gelu")(vectors)
        # padding is set back to zero after every layer, as if the sequence began with its first event
        vectors = (vectors + seen) * there
    return layers.Concatenate()([vectors[:, -1, :], _mean(vectors, there)])


def _rnn(vectors: Any, there: Any, width: int) -> Any:
    from keras import layers

    states = layers.GRU(width, return_sequences=True)(vectors, mask=there[:, :, 0] > 0) * there
    return layers.Concatenate()([states[:, -1, :], _mean(states, there)])


def _cnn_rnn(vectors: Any, there: Any, width: int) -> Any:
    from keras import layers

    # windows of events that end with the newest one, so the padding in front never shifts them
    framed = layers.ZeroPadding1D((_KERNEL - STRIDE, 0))(vectors)
    blocks = layers.Conv1D(2 * width, _KERNEL, strides=STRIDE, activation="gelu")(framed)
    return _rnn(blocks, there[:, STRIDE - 1 :: STRIDE, :], width)


_ENCODERS = {"cnn_rnn": _cnn_rnn, "cnn": _cnn, "rnn": _rnn}


def _mean(vectors: Any, there: Any) -> Any:
    from keras import ops

    # a customer without any event has an empty sequence: divide by one, the sum is zero
    return ops.sum(vectors * there, axis=1) / ops.maximum(ops.sum(there, axis=1), 1.0)


def outlook_loss(chances: npt.NDArray[np.bool_], weights: npt.NDArray[np.float32]) -> Any:
    """Return the loss over all heads at once.

    Parameters
    ----------
    chances : array of bool, shape (Q,)
        Heads trained by cross-entropy on log-odds; the others by squared error.
    weights : array of float32, shape (Q,)
        Weight of each head.

    Returns
    -------
    callable
        ``loss(targets (B, Q), outputs (B, Q)) -> (B,)``. A NaN target is left out.
    """
    from keras import ops

    def loss(targets: Any, outputs: Any) -> Any:
        known = ops.logical_not(ops.isnan(targets))
        truth = ops.where(known, targets, 0.0)
        entropy = ops.softplus(outputs) - truth * outputs
        error = ops.where(chances, entropy, ops.square(truth - outputs))
        return ops.sum(ops.where(known, error, 0.0) * weights, axis=-1)

    return loss
