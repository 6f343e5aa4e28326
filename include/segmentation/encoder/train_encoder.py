"""Training: the linear path in closed form, then the whole network with early stopping on held-out customers."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from segmentation.config import EncoderSettings
from segmentation.encoder.heads import HeadScale
from segmentation.encoder.linear import BENDS, bent, solve_linear_heads
from segmentation.encoder.network import outlook_loss
from segmentation.encoder.timelines import NUMBERS, padded_lengths, readable_lengths
from segmentation.encoder.windows import Inputs, TrainingWindows

Floats = npt.NDArray[np.float32]
Predictor = Callable[[Inputs], Floats]

#: Penalty of the linear path, as a share of the examples, for columns of standard deviation 1.
LINEAR_PENALTY = 0.3
#: Share of the way to tonight's closed form that the linear path goes in a fine-tune: one day in fifty is new, and
#: the newest windows alone know less than those of half a year.
LINEAR_RATE = 0.02
#: Windows whose bent features are in memory at once.
_ROWS_AT_ONCE = 8_192
#: Share of a head's held-out loss that the deep part has to take off the linear path's, or the head does without it:
#: what gains less in the months that were seen loses in the next.
LEAST_GAIN = 0.01
#: Standard errors by which it has to: among many epochs and heads, a few hundred held-out customers show some gain by
#: chance.
CERTAIN_GAIN = 3.0
#: Steps before a training may end for want of gain: the deep part starts at nothing, and until it has found
#: something the loss stands still.
FEWEST_STEPS = 60
#: More at once take as long for each, or longer where the layers' outputs no longer fit the processor's cache.
PREDICTION_BATCH = 512

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """What a training did.

    Attributes
    ----------
    held_out_loss : float
        Loss of the kept weights on held-out customers.
    linear_loss : float
        The same of the static features' linear path alone; NaN in a warm start.
    held_out_losses : tuple of float
        Loss on held-out customers before the first epoch, with tonight's linear path, and after each.
    best_epoch : int
        Epoch whose weights are kept; 0 = as it started.
    head_losses : dict of str to float
        `held_out_loss` by head, unweighted.
    windows : int
        Windows trained on in an epoch, at most.
    """

    held_out_loss: float
    linear_loss: float
    held_out_losses: tuple[float, ...]
    best_epoch: int
    head_losses: dict[str, float]
    windows: int
    seconds: dict[str, float] = field(default_factory=dict)


def predictor(network: Any, sequence_length: int) -> Predictor:
    """Return a function that gives the network's outputs, float32 (N, Q), for N customers.

    The outputs follow the weights that the network has when it is called.
    """
    import tensorflow as tf

    features, heads = network.inputs[2].shape[-1], network.output.shape[-1]
    # customers come shortest first, and what is padded costs as much as what is read
    lengths = readable_lengths(sequence_length)
    forward = tf.function(
        lambda codes, numbers, static: network([codes, numbers, static], training=False),
        input_signature=_signature(features)[0],
        autograph=False,
    )

    def predict(inputs: Inputs) -> Floats:
        outputs = np.zeros((len(inputs), heads), np.float32)
        for rows in inputs.batches(PREDICTION_BATCH):
            outputs[rows] = forward(*inputs.take(rows, lengths)[0]).numpy()
        return outputs

    return predict


def place_bends(network: Any, training: TrainingWindows) -> None:
    """Let the network's linear path bend at quantiles of the training windows' features."""
    # those of one shard stand for all: it holds windows of every cut-off
    knots = np.quantile(training.figures[0][0], BENDS, axis=0)
    network.get_layer("bends").set_weights([knots.astype(np.float32)])


def solve_linear_path(network: Any, training: TrainingWindows, scale: HeadScale) -> list[Floats]:
    """Return the weights that the network's linear path has in closed form on the training windows."""
    from threadpoolctl import threadpool_limits

    (knots,) = network.get_layer("bends").get_weights()
    spread = bent(training.figures[0][0], knots).std(axis=0)
    per_unit = np.where(spread > 1e-6, 1.0 / np.maximum(spread, 1e-6), 0.0).astype(np.float32)

    def examples() -> Iterator[tuple[Floats, Floats]]:
        for static, targets in training.figures:
            for start in range(0, len(static), _ROWS_AT_ONCE):
                rows = slice(start, start + _ROWS_AT_ONCE)
                yield bent(static[rows], knots) * per_unit, targets[rows]

    # one thread: how a product is split among threads decides its last digits
    with threadpool_limits(1):
        weights, intercepts = solve_linear_heads(examples, len(per_unit), _chances(scale), LINEAR_PENALTY)
    return [weights * per_unit[:, None], intercepts]


def train(
    network: Any,
    scale: HeadScale,
    training: TrainingWindows,
    held_out: TrainingWindows,
    settings: EncoderSettings,
    sequence_length: int,
    cold: bool,
) -> Training:
    """Train the network and leave it with the weights that were best on held-out customers.

    Parameters
    ----------
    network : keras.Model
        From `build_network`; a warm start has its parent's weights.
    scale : HeadScale
        The Q heads.
    training, held_out : TrainingWindows
        Windows to learn from, and windows of other customers to stop by.
    settings : EncoderSettings
        Epochs, learning rates, patience, batch size, seed.
    sequence_length : int
        T.
    cold : bool
        True: the linear path is solved first and the deep part learns what it leaves. False: the linear path goes
        `LINEAR_RATE` of the way to tonight's solution, and a short fine-tune of the deep part follows.

    Returns
    -------
    Training
        The weights before the first epoch take part in the contest, so training never makes them worse. In a
        cold start the deep part counts only in heads whose loss it lowers by `LEAST_GAIN`, in the contest too: it finds
        the order of events after several epochs without gain, when it has begun to learn other heads by heart. Of a
        fine-tune only the share ``warm_rate`` is taken over: an exponential average of the weights over nights (Polyak
        and Juditsky 1992).
    """
    import keras

    began = time.perf_counter()
    seconds = {}
    linear = network.get_layer("linear")
    if cold:
        place_bends(network, training)
    solved = solve_linear_path(network, training, scale)
    linear.set_weights(solved if cold else _part_way(linear.get_weights(), solved, LINEAR_RATE))
    seconds["linear"] = time.perf_counter() - began
    weights = scale.loss_weights()
    network.compile(
        optimizer=keras.optimizers.Adam(
            settings.learning_rate if cold else settings.warm_learning_rate, global_clipnorm=1.0
        ),
        loss=outlook_loss(_chances(scale), weights),
        # compiling takes longer than the training of a shop of a few thousand customers
        jit_compile=False,
    )
    # or the first step makes its variables, and the graph, which takes longer than many steps, is built twice
    network.optimizer.build(network.trainable_variables)
    predict = predictor(network, sequence_length)
    first = _held_out_errors(predict, held_out, scale)
    by_head = first_heads = _mean_by_head(first)
    losses = [float(by_head @ weights)]
    start = network.get_weights()
    best, best_epoch, best_heads, best_earned = start, 0, by_head, np.zeros(len(by_head), dtype=bool)
    draws, steps = np.random.default_rng(settings.seed), 0
    for epoch in range(1, (settings.cold_epochs if cold else settings.warm_epochs) + 1):
        started = time.perf_counter()
        # a large shop teaches as much by a part of its windows, another one in each pass
        place = int(draws.permutation(len(training.sizes))[0])
        seen = training.sizes[place]
        passed = _epoch(training, place, settings.batch_size, sequence_length, draws, network)
        history = network.fit(passed, epochs=1, verbose=0, shuffle=False)
        steps += math.ceil(seen / settings.batch_size)
        errors = _held_out_errors(predict, held_out, scale)
        by_head, earned = _mean_by_head(errors), best_earned
        if cold:
            earned = earned_heads(errors, first, held_out.owners)
            by_head = np.where(earned, by_head, first_heads)
        losses.append(float(by_head @ weights))
        logger.info(
            "epoch %d: training loss %.4f, held-out loss %.4f (before %.4f), %d windows, %.1f s",
            epoch, history.history["loss"][-1], losses[-1], losses[-2], seen, time.perf_counter() - started,
        )  # fmt: skip
        if losses[-1] < losses[best_epoch]:
            best, best_epoch, best_heads, best_earned = network.get_weights(), epoch, by_head, earned
        elif epoch - best_epoch >= settings.patience and steps >= FEWEST_STEPS:
            break
    network.set_weights(best)
    if cold and best_epoch:
        network.get_layer("earned").set_weights([best_earned.astype(np.float32)])
    if not cold and best_epoch:
        # the other customers' noise is in every night's tune: averaged over nights it cancels, and segments keep still
        network.set_weights(_part_way(start, best, settings.warm_rate))
        best_heads = _mean_by_head(_held_out_errors(predict, held_out, scale))
        losses[best_epoch] = float(best_heads @ weights)
    seconds["train"] = time.perf_counter() - began - seconds["linear"]
    return Training(
        losses[best_epoch],
        losses[0] if cold else float("nan"),
        tuple(losses),
        best_epoch,
        {head.name: float(loss) for head, loss in zip(scale.heads, best_heads, strict=True)},
        max(training.sizes, default=0),
        seconds,
    )


def earned_heads(
    errors: npt.NDArray[np.float64], linear: npt.NDArray[np.float64], owners: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Tell in which heads the deep part counts, (Q,), by held-out losses with it and by the linear path alone.

    Those whose mean loss it lowers by `LEAST_GAIN`, and by `CERTAIN_GAIN` standard errors of the paired differences.
    What one customer does after several cut-offs is alike, so customers are drawn, not windows (Liang and Zeger 1986).

    Parameters
    ----------
    errors, linear : (N, Q); NaN where a head is not defined
    owners : (N,) number of each window's customer
    """
    known = np.isfinite(linear)
    count = np.maximum(known.sum(axis=0), 1)
    gains = np.where(known, linear - errors, 0.0)
    gain = gains.sum(axis=0) / count
    with np.errstate(invalid="ignore"):
        # of a network that has run away nothing is finite, and nothing is earned
        away = np.where(known, gains - gain, 0.0)
    customers = int(owners.max(initial=0)) + 1
    of_customer = np.stack([np.bincount(owners, weights=column, minlength=customers) for column in away.T], axis=1)
    error = np.sqrt((of_customer**2).sum(axis=0) * customers / max(customers - 1, 1)) / count
    return (gain > LEAST_GAIN * _mean_by_head(linear)) & (gain > CERTAIN_GAIN * error)


def _part_way(start: Sequence[Floats], end: Sequence[Floats], share: float) -> list[Floats]:
    return [old + share * (new - old) for old, new in zip(start, end, strict=True)]


def _epoch(
    training: TrainingWindows,
    place: int,
    batch_size: int,
    sequence_length: int,
    draws: np.random.Generator,
    network: Any,
) -> Any:
    """Return one pass over one shard of the training windows as a `tf.data` pipeline of padded batches."""
    import tensorflow as tf

    lengths = padded_lengths(sequence_length)

    def batches() -> Iterator[tuple[Any, Floats]]:
        shard = training.shard(place)
        for rows in shard.batches(batch_size, draws):
            yield shard.take(rows, lengths)

    dataset = tf.data.Dataset.from_generator(
        batches, output_signature=_signature(network.inputs[2].shape[-1], network.output.shape[-1])
    )
    # Keras takes a pipeline of unknown length that ends for one that broke off
    known = tf.data.experimental.assert_cardinality(math.ceil(training.sizes[place] / batch_size))
    return dataset.apply(known).prefetch(2)


def _signature(features: int, heads: int = 0) -> tuple[tuple[Any, Any, Any], Any]:
    import tensorflow as tf

    inputs = (
        tf.TensorSpec((None, None, 2), tf.int32),
        tf.TensorSpec((None, None, len(NUMBERS)), tf.float32),
        tf.TensorSpec((None, features), tf.float32),
    )
    return inputs, tf.TensorSpec((None, heads), tf.float32)


def _held_out_errors(predict: Predictor, held_out: TrainingWindows, scale: HeadScale) -> npt.NDArray[np.float64]:
    """Return each head's loss for each held-out window, shape (N, Q); NaN where it is not defined."""
    chances = _chances(scale)
    found = [np.empty((0, len(chances)))]
    for shard in held_out.shards():
        outputs = predict(shard).astype(np.float64)
        known = np.isfinite(shard.targets)
        truth = np.where(known, shard.targets, 0.0)
        entropy = np.logaddexp(0.0, outputs) - truth * outputs
        error = np.where(chances, entropy, (truth - outputs) ** 2)
        # a network that has run away must not pass for one of which nothing is known
        found.append(np.where(known, np.nan_to_num(error, nan=np.inf), np.nan))
    return np.concatenate(found)


def _mean_by_head(errors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return each head's mean loss over the windows for which it is defined, shape (Q,); 0 where it is for none."""
    return np.nansum(errors, axis=0) / np.maximum(np.isfinite(errors).sum(axis=0), 1)


def _chances(scale: HeadScale) -> npt.NDArray[np.bool_]:
    return np.array([head.kind == "chance" for head in scale.heads], dtype=bool)
