"""Noise that hides single customers in sums (differential privacy), and how far it may put a figure off; by OpenDP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opendp.mod import Measurement

#: Chance that a figure is off by more than is told.
MISSED = 0.05


@dataclass(frozen=True)
class Noised:
    """Sums with noise.

    Attributes
    ----------
    values : list of int
        One per group, in order; may be negative.
    within : int
        A value is off by at most this, with a chance of 95 %.
    scale : float
        Of the noise: its mean absolute value, about.
    """

    values: list[int]
    within: int
    scale: float


def add_noise(sums: Sequence[int], bound: int, epsilon: float) -> Noised:
    """Add the noise that hides one customer in sums over groups.

    Discrete Laplace noise drawn by OpenDP from the system's source of randomness; OpenDP also searches the smallest
    scale for which it can prove epsilon. No seed: noise that can be drawn again can be subtracted.

    Parameters
    ----------
    sums : sequence of int
        One per group; a customer is in one group only.
    bound : int
        What one customer adds to a sum, at most, in its unit.
    epsilon : float
        What this may spend: with or without any one customer, no result is likelier by more than exp(epsilon).

    Returns
    -------
    Noised

    Examples
    --------
    >>> noised = add_noise([1000, 0], bound=1, epsilon=50.0)
    >>> [abs(value - true) < 5 for value, true in zip(noised.values, [1000, 0])]
    [True, True]
    """
    # not opendp.prelude, which imports scikit-learn and more
    from opendp.accuracy import discrete_laplacian_scale_to_accuracy
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_laplace
    from opendp.metrics import l1_distance
    from opendp.mod import binary_search_param, enable_features

    enable_features("contrib")
    domain, metric = vector_domain(atom_domain(T="i64")), l1_distance(T="i64")

    def hiding(scale: float) -> Measurement:
        return make_laplace(domain, metric, scale=scale)

    scale = binary_search_param(hiding, d_in=bound, d_out=epsilon, T=float)
    within = discrete_laplacian_scale_to_accuracy(scale, MISSED)
    return Noised([int(value) for value in hiding(scale)(list(sums))], int(within), scale)
