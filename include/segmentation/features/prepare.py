"""From static features to the numbers a model reads: cleaned, selected, scaled; fitted once and kept with the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segmentation.features.definitions import FEATURES

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

#: Share of known values cut off at each end.
WINSORISED = 0.005
#: Two prepared columns that correlate (Pearson, absolute) above this are one.
NEAR_DUPLICATE = 0.98
#: Whether a value is missing becomes a column of its own if the share of missing values is within these.
INDICATED = (0.01, 0.99)
#: A spread below this is rounding, not difference.
SMALLEST_SD = 1e-9


@dataclass(frozen=True)
class PreparedColumn:
    """How one column of the model's input is made.

    Attributes
    ----------
    name : str
        The feature's name, or ``<feature>_missing`` for an indicator.
    source : str
        The feature.
    kind : {'value', 'missing'}
        The feature's value, or whether it is missing (1) or not (0).
    transform : {'log1p', 'identity'}
        Applied before everything else; ``log1p`` takes a negative value as 0.
    fill : float
        What a missing value becomes: the median, after the transform.
    low, high : float
        What smaller and larger values are cut to, after the transform.
    centre, scale : float
        Subtracted, then divided by: mean and standard deviation on the training customers.
    """

    name: str
    source: str
    kind: str
    transform: str
    fill: float
    low: float
    high: float
    centre: float
    scale: float

    def apply(self, raw: Floats) -> Floats:
        """Prepare raw values of shape (B,); a value that is not finite counts as missing."""
        return (self._unscaled(raw) - self.centre) / self.scale

    def undo(self, prepared: Floats) -> Floats:
        """Return prepared values of shape (B,) to the feature's unit; what was cut or filled stays so."""
        values = prepared * self.scale + self.centre
        return np.expm1(values) if self.transform == "log1p" else values

    def _unscaled(self, raw: Floats) -> Floats:
        known = np.isfinite(raw)
        if self.kind == "missing":
            return (~known).astype(np.float64)
        values = transformed(np.where(known, raw, 0.0), self.transform)
        return np.clip(np.where(known, values, self.fill), self.low, self.high)


@dataclass(frozen=True)
class FeaturePreparation:
    """A fitted preparation of static features.

    Attributes
    ----------
    columns : tuple of PreparedColumn
        The F columns of the model's input, in the order of `definitions.FEATURES`, indicators after the values.
    dropped : dict of str to str
        Why a column of the training frame is not used.
    """

    columns: tuple[PreparedColumn, ...]
    dropped: dict[str, str]

    @classmethod
    def fit(cls, frame: pd.DataFrame) -> FeaturePreparation:
        """Measure the training customers and choose the columns.

        A column is dropped if `definitions.FEATURES` does not list it (nothing else is promised to be known as of the
        day: a target would leak), if it is null everywhere, constant after winsorising, or a near-duplicate of an
        earlier one.

        Parameters
        ----------
        frame : pandas.DataFrame of shape (B, any)
            Training customers, one per row; features in columns of floats, null = undefined.

        Returns
        -------
        FeaturePreparation
            No columns at all if nothing varies (no or one customer, for example).
        """
        listed = {feature.name for feature in FEATURES}
        dropped = {str(name): "not in the list of features" for name in frame.columns if name not in listed}
        candidates: list[PreparedColumn] = []
        indicators: list[PreparedColumn] = []
        for feature in FEATURES:
            if feature.name not in frame.columns:
                continue
            raw = column(frame, feature.name)
            known = np.isfinite(raw)
            if not known.any():
                dropped[feature.name] = "null everywhere"
                continue
            missing_share = 1.0 - known.mean()
            if INDICATED[0] <= missing_share <= INDICATED[1]:
                indicators.append(_indicator(feature.name, missing_share))
            fitted = _fit_value(feature.name, feature.transform, raw[known], raw)
            if fitted is None:
                dropped[feature.name] = "constant"
            else:
                candidates.append(fitted)
        candidates += indicators
        prepared = [candidate.apply(column(frame, candidate.source)) for candidate in candidates]
        kept = _without_near_duplicates(candidates, prepared, dropped)
        return cls(tuple(kept), dropped)

    @property
    def names(self) -> tuple[str, ...]:
        """The F columns' names."""
        return tuple(each.name for each in self.columns)

    def get_feature_names_out(self) -> npt.NDArray[np.object_]:
        """Return the F columns' names, as scikit-learn asks for them."""
        return np.array(self.names, dtype=object)

    def transform(self, frame: pd.DataFrame) -> npt.NDArray[np.float32]:
        """Prepare customers.

        Parameters
        ----------
        frame : pandas.DataFrame of shape (B, any)
            Customers, one per row, with every feature that the preparation uses; more columns do not matter.

        Returns
        -------
        numpy.ndarray of float32, shape (B, F)
            Finite everywhere.

        Raises
        ------
        KeyError
            If a feature that is used is not in ``frame``.
        """
        out = np.empty((len(frame), len(self.columns)), np.float32)
        for place, each in enumerate(self.columns):
            out[:, place] = each.apply(column(frame, each.source))
        return out

    def in_units(self, prepared: npt.NDArray[np.floating[Any]]) -> pd.DataFrame:
        """Return prepared rows to the features' units, so that a centroid can be read.

        Parameters
        ----------
        prepared : numpy.ndarray of shape (K, F)
            Rows as `transform` makes them, or means of such rows.

        Returns
        -------
        pandas.DataFrame of shape (K, F)
            A mean of logarithms comes back as what a typical customer has (a geometric mean), not as the mean.
        """
        import pandas as pd

        values = prepared.astype(np.float64)
        return pd.DataFrame({each.name: each.undo(values[:, place]) for place, each in enumerate(self.columns)})

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able content from which `from_dict` makes an equal preparation."""
        return {"columns": [asdict(each) for each in self.columns], "dropped": dict(self.dropped)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> FeaturePreparation:
        """Read what `to_dict` wrote."""
        return cls(tuple(PreparedColumn(**each) for each in content["columns"]), dict(content["dropped"]))


def column(frame: pd.DataFrame, name: str) -> Floats:
    """Return one column as float64 of shape (B,), NaN for null.

    Raises
    ------
    KeyError
        If the frame lacks it.
    """
    if name not in frame.columns:
        raise KeyError(f"feature {name} is not in the frame; it has: {', '.join(map(str, frame.columns))}")
    return np.asarray(frame[name], dtype=np.float64)


def transformed(values: Floats, transform: str) -> Floats:
    """Apply a feature's transform; what is negative counts as 0 under ``log1p``.

    Examples
    --------
    >>> transformed(np.array([-5.0, 0.0, np.e - 1]), "log1p").tolist()
    [0.0, 0.0, 1.0]
    """
    return np.log1p(np.maximum(values, 0.0)) if transform == "log1p" else values


def _fit_value(name: str, transform: str, known: Floats, raw: Floats) -> PreparedColumn | None:
    """Fit one feature's value; None if it does not vary."""
    values = transformed(known, transform)
    low, high = (float(edge) for edge in np.quantile(values, [WINSORISED, 1 - WINSORISED]))
    unscaled = PreparedColumn(name, name, "value", transform, float(np.median(values)), low, high, 0.0, 1.0)
    all_values = unscaled.apply(raw)
    sd = float(all_values.std())
    # relative to the values' size: the spread of a thousand equal large numbers is rounding
    if sd <= SMALLEST_SD * max(1.0, abs(low), abs(high)):
        return None
    return PreparedColumn(
        name, name, "value", transform, unscaled.fill, low, high, centre=float(all_values.mean()), scale=sd
    )


def _indicator(feature: str, missing_share: float) -> PreparedColumn:
    sd = float(np.sqrt(missing_share * (1.0 - missing_share)))
    return PreparedColumn(
        f"{feature}_missing", feature, "missing", "identity", 0.0, 0.0, 1.0, centre=float(missing_share), scale=sd
    )


def _without_near_duplicates(
    candidates: list[PreparedColumn], prepared: list[Floats], dropped: dict[str, str]
) -> list[PreparedColumn]:
    """Keep the first of every group of near-duplicates; note the others in ``dropped``."""
    if not candidates:
        return []
    matrix = np.column_stack(prepared)
    # columns have mean 0 and standard deviation 1, so their mean product is the correlation
    correlation = np.abs(matrix.T @ matrix) / len(matrix)
    kept: list[int] = []
    for place, candidate in enumerate(candidates):
        twin = next((other for other in kept if correlation[place, other] > NEAR_DUPLICATE), None)
        if twin is None:
            kept.append(place)
        else:
            dropped[candidate.name] = f"near-duplicate of {candidates[twin].name}"
    return [candidates[place] for place in kept]
