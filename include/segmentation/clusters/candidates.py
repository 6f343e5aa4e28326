"""Every grouping that a search tries: four algorithms, each over the range of what has to be set.

K-means and mixtures are told the number of segments. DBSCAN and HDBSCAN find it themselves; they are told how dense
a crowd must be. Shapes: B customers, Q outlook columns, K segments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from segmentation.clusters import density, kmeans, mixture
from segmentation.clusters.density import DBSCAN
from segmentation.clusters.fitted import Fitted
from segmentation.clusters.kmeans import KMEANS, Floats, Labels
from segmentation.clusters.mixture import DIAGONAL, FULL, GMM
from segmentation.config import ClusterSettings

#: Customers that a mixture is fitted on, at most.
MIXTURE_FITTED_ON = 3_000
#: Figures of the outlook that a mixture must see for each figure that it learns.
_SEEN_PER_LEARNT = 5
#: Customers that make a place dense, for DBSCAN; it is tried with each reach of `_REACHES`.
_DENSE = (5, 10, 20)
#: Quantiles of the distance to the last of these customers: from dense places alone to nearly everywhere.
_REACHES = (0.5, 0.7, 0.85, 0.95, 0.99)
#: The same number for HDBSCAN, tried with each smallest share of `_SHARES`.
_SMOOTH = (5, 15)
_SHARES = (0.02, 0.05, 0.10)
#: Customers that are resampled, at most; fewer for the algorithms that take longer.
_RESAMPLE = 5_000
_SMALL_RESAMPLE = 2_000


@dataclass(frozen=True)
class Proposal:
    """One grouping tried; ``fitted`` is None where ``refused`` says why nothing was found."""

    name: str
    algorithm: str
    fitted: Fitted | None
    refused: str = ""


def propose(sample: Floats, settings: ClusterSettings) -> Iterator[Proposal]:
    """Fit every grouping on ``sample`` (B, Q), the simplest algorithm first."""
    different = len(np.unique(sample, axis=0))
    numbers = range(settings.k_min, min(settings.k_max, different) + 1)
    for k in numbers:
        yield Proposal(f"{KMEANS}_k={k}", KMEANS, kmeans.Centroids(kmeans.fit(sample, k, settings.seed)))
    yield from _mixtures(sample, settings, numbers)
    yield from _dense(sample, settings)


def _mixtures(sample: Floats, settings: ClusterSettings, numbers: range) -> Iterator[Proposal]:
    seen = sample[kmeans.sample_rows(len(sample), MIXTURE_FITTED_ON, settings.seed)]
    for covariance in (DIAGONAL, FULL):
        for k in numbers:
            name = f"{GMM}_{covariance}_k={k}"
            if seen.size < _SEEN_PER_LEARNT * mixture.figures(k, seen.shape[1], covariance):
                yield Proposal(name, GMM, None, f"{len(seen)} customers are too few for a mixture of so many figures")
            else:
                yield Proposal(name, GMM, mixture.fit(seen, k, covariance, settings.seed))


def _dense(sample: Floats, settings: ClusterSettings) -> Iterator[Proposal]:
    seen = sample[kmeans.sample_rows(len(sample), density.FITTED_ON, settings.seed)]
    away = density.between(seen)
    for dense in _DENSE:
        for reach in _REACHES:
            found = density.fit_dbscan(seen, dense, reach, settings.minimum_share, away)
            yield _proposed(f"{DBSCAN}_dense={dense}_reach={reach:g}", DBSCAN, found, settings)
    for dense in _SMOOTH:
        for share in _SHARES:
            found = density.fit_hdbscan(seen, dense, max(share, settings.minimum_share), away)
            yield _proposed(f"{density.HDBSCAN}_dense={dense}_share={share:g}", density.HDBSCAN, found, settings)


def _proposed(name: str, algorithm: str, found: density.References | None, settings: ClusterSettings) -> Proposal:
    if found is None:
        return Proposal(name, algorithm, None, "no dense group")
    refused = ""
    if found.k < 2:
        refused = "one dense group"
    elif found.k > settings.k_max:
        refused = f"{found.k} groups are more than {settings.k_max}"
    elif found.noise_share > settings.noise_share_limit:
        refused = f"{found.noise_share:.1%} of the customers are noise, limit {settings.noise_share_limit:.1%}"
    return Proposal(name, algorithm, found, refused)


def fit_again(fitted: Fitted, values: Floats, drawn: Floats, seed: int) -> Fitted | None:
    """Fit the same algorithm with the same parameters on a resample.

    Parameters
    ----------
    fitted : what to repeat
    values : (B, Q)
    drawn : (B,) how often each customer was drawn; for a density algorithm those drawn more than once count
        once, since copies of one customer would look like a crowd
    seed : seed of the starts

    Returns
    -------
    Fitted or None
        None if a density algorithm finds fewer than two groups in the resample.
    """
    parameters: Mapping[str, float | str] = fitted.parameters
    if fitted.algorithm == KMEANS:
        return kmeans.Centroids(kmeans.fit(values, fitted.k, seed, starts=2, weights=drawn))
    if fitted.algorithm == GMM:
        copies = np.repeat(values, drawn.astype(np.int64), axis=0)
        return mixture.fit(copies, fitted.k, str(parameters["covariance"]), seed)
    seen = values[drawn > 0]
    dense, share = int(parameters["min_samples"]), float(parameters["share"])
    if fitted.algorithm == DBSCAN:
        found = density.fit_dbscan(seen, dense, float(parameters["quantile"]), share)
    else:
        found = density.fit_hdbscan(seen, dense, share)
    return found if found is not None and found.k > 1 else None


def resampled_rows(fitted: Fitted, size: int, seed: int) -> Labels:
    """Return the row numbers of the customers, of ``size``, that a grouping is found again among."""
    return kmeans.sample_rows(size, _RESAMPLE if fitted.algorithm == KMEANS else _SMALL_RESAMPLE, seed)


def refits(fitted: Fitted, values: Floats, resamples: int, seed: int) -> Iterator[Fitted | None]:
    """Find a grouping anew on resamples of ``values`` (B, Q), each drawn with replacement; as `fit_again`."""
    generator = np.random.default_rng(seed)
    for turn in range(resamples):
        # resampling with replacement, as weights: a customer counts as often as they were drawn
        drawn = np.bincount(generator.integers(0, len(values), len(values)), minlength=len(values)).astype(float)
        yield fit_again(fitted, values, drawn, seed + turn)
