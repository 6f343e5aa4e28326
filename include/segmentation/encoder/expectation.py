"""From a predicted logarithm back to an expected amount."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segmentation.encoder.heads import HeadScale
from segmentation.encoder.train_encoder import Predictor
from segmentation.encoder.windows import TrainingWindows

_GROUPS = 20


@dataclass(frozen=True)
class Expectation:
    """Expected amounts by predicted log amount.

    The exponential of a mean logarithm is far below the mean amount, so the amounts are looked up: the mean
    of what customers with such a prediction really did in the training windows.

    Attributes
    ----------
    predicted : array of float, shape (K,)
        Log amounts, ascending.
    amount : array of float, shape (K,)
        Mean amounts, never falling.

    Examples
    --------
    >>> spend = Expectation(np.array([0.0, 2.0]), np.array([1.0, 9.0]))
    >>> spend.amounts(np.array([-1.0, 1.0, 2.0])).tolist()
    [1.0, 5.0, 9.0]
    """

    predicted: npt.NDArray[np.float64]
    amount: npt.NDArray[np.float64]

    @classmethod
    def fit(cls, predicted: npt.NDArray[np.float64], amount: npt.NDArray[np.float64]) -> Expectation:
        """Measure mean amounts in up to 20 equal groups of like prediction, those out of order pooled."""
        from sklearn.isotonic import isotonic_regression

        order = np.argsort(predicted, kind="stable")
        groups = [group for group in np.array_split(order, _GROUPS) if len(group)]
        means = np.array([amount[group].mean() for group in groups])
        sizes = np.array([len(group) for group in groups], dtype=float)
        return cls(
            np.array([predicted[group].mean() for group in groups]), isotonic_regression(means, sample_weight=sizes)
        )

    def amounts(self, predicted: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the expected amounts, (B,); above the highest group they grow as the prediction does."""
        beyond = np.exp(np.clip(predicted - self.predicted[-1], 0.0, 3.0))
        return np.interp(predicted, self.predicted, self.amount) * beyond

    def to_dict(self) -> dict[str, list[float]]:
        """Return the table as JSON-able content."""
        return {"predicted": self.predicted.tolist(), "amount": self.amount.tolist()}

    @classmethod
    def from_dict(cls, content: dict[str, list[float]]) -> Expectation:
        """Read what `to_dict` wrote."""
        return cls(np.array(content["predicted"]), np.array(content["amount"]))


def fit_expectations(
    names: Sequence[str], scale: HeadScale, training: TrainingWindows, predict: Predictor
) -> dict[str, Expectation]:
    """Measure an expectation for each of the named log heads that the model has.

    Parameters
    ----------
    names : sequence of str
        Heads.
    scale : HeadScale
        All heads of the model.
    training : TrainingWindows
        Windows of training customers.
    predict : Predictor
        The trained network.
    """
    places = {head.name: q for q, head in enumerate(scale.heads) if head.name in names and head.kind == "log"}
    predicted: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in places}
    happened: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in places}
    for shard in training.shards():
        outputs = scale.natural(predict(shard)).astype(np.float64)
        for name, q in places.items():
            known = np.isfinite(shard.targets[:, q])
            predicted[name].append(outputs[known, q])
            happened[name].append(np.expm1(shard.targets[known, q].astype(np.float64) * scale.sd[q] + scale.mean[q]))
    return {name: Expectation.fit(np.concatenate(predicted[name]), np.concatenate(happened[name])) for name in places}
